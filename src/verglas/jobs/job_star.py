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
    return f"{value:g}" if isinstance(value, float) else str(value)


def write_job_star(path: Path, job: Job, params: JobParams, *, continuing: bool) -> None:
    """RELION 4/5 layout: block job (type label, continuation) and block joboptions_values (variable, value)."""
    import numpy as np

    from verglas.io.star import Table, write_star

    rows = relion_options(params)
    head = {"rlnJobTypeLabel": job.relion or f"verglas.{job.folder.lower()}", "rlnJobIsContinue": int(continuing),
            "rlnJobIsTomo": 0}
    values = {"rlnJobOptionVariable": list(rows), "rlnJobOptionValue": list(rows.values())}
    columns = {label: np.array(texts, dtype=object) for label, texts in values.items()}
    write_star(path, {"job": Table.of_values(head), "joboptions_values": Table(columns)})
