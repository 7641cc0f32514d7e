"""A job's parameters under RELION's names (job.star)."""

from pathlib import Path

from verglas.jobs.spec import Job, JobParams, options


def relion_options(params: JobParams) -> dict[str, str]:
    """RELION's key -> value of the options that RELION knows; the others as verglas_<name>: nothing is lost."""
    return {
        one.relion or f"verglas_{one.name}": relion_value(getattr(params, one.name)) for one in options(type(params))
    }


def relion_value(value: object) -> str:
    """Yes and No for switches, an empty text for what is not set."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def foreign_type(folder: str) -> str:
    """The label of a job that RELION does not have: RELION 4 and 5 read it up to the part that they know, and show an external job."""
    return f"relion.external.verglas.{folder.lower()}"


def write_job_star(path: Path, job: Job, params: JobParams, *, continuing: bool) -> None:
    """job.star with RELION's job type."""
    from verglas.io.job_star import JobStar, write_job

    write_job(path, JobStar(job.relion or foreign_type(job.folder), relion_options(params), continuing))
