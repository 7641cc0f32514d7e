"""What every job understands besides its own parameters, and parameters from text with errors in plain words."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from verglas.errors import InputError
from verglas.jobs.folder import JOB_FILE
from verglas.jobs.provenance import read_record
from verglas.jobs.spec import Job, JobParams, option, options
from verglas.runtime.group import started
from verglas.runtime.resources import Resources, choose_resources

P = TypeVar("P", bound=JobParams)


class CommonParams(JobParams):
    """Where and how to run."""

    output: Path | None = option(None, help="Job folder; without it the next <JobType>/jobNNN of this project folder.")
    continue_: Path | None = option(None, help="Go on with the job in this folder, with its parameters.")
    device: str = option("auto", help="auto (a GPU if there is one), cpu, cuda or cuda:1.")
    threads: int = option(0, help="CPU threads of each process; 0: all cores it may use.", ge=0, le=4096)
    memory_gb: float | None = option(None, help="Memory to plan with, on each machine; default 80 % of what is free.", unit="GiB", gt=0)
    seed: int = option(0, help="Seed of all random numbers.", ge=0, le=2**31 - 1)
    deterministic: bool = option(False, help="The same bits on every run with the same threads; a little slower.")
    dry_run: bool = option(False, help="Check the input, forecast memory, disk and time, and write nothing.")


def parse(params: type[P], values: dict[str, Any]) -> P:
    """Params from loose values; everything that is wrong in one InputError, one line for each option."""
    try:
        return params(**values)
    except ValidationError as error:
        raise InputError("\n".join(_complaints(params, error)), remedy="see --help") from None


def _complaints(params: type[JobParams], error: ValidationError) -> list[str]:
    flags = {one.name: one for one in options(params)}
    found: dict[str, str] = {}
    for row in error.errors(include_url=False):
        name = str(row["loc"][0]) if row["loc"] else ""
        if not name:
            found[""] = str(row.get("ctx", {}).get("error", row["msg"]))
        elif row["type"] == "missing":
            found[name] = f"{flags[name].flag} is required: {flags[name].help}"
        elif row["type"] == "extra_forbidden":
            found[name] = f"there is no parameter {name!r}"
        else:
            found[name] = f"{flags[name].flag} {row['input']}: must be {flags[name].kind}"
    return list(found.values())


def choose(rules: CommonParams) -> Resources:
    """The resources of this machine for these options."""
    return choose_resources(rules.device, rules.threads, rules.seed, rules.deterministic, rules.memory_gb, started())


def continued(job: Job, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters and common options of the job in `folder`, to go on with; another number of processes chooses its own threads."""
    if not job.can_continue:
        raise InputError(f"{job.name} cannot be continued", where=str(folder), remedy="start it again")
    if job.adopt is not None and folder.is_dir() and not (folder / JOB_FILE).exists():
        return job.adopt(folder), {}
    record = read_record(folder)
    if record.get("job") != job.name:
        raise InputError(f"holds a {record.get('job')} job, not {job.name}", where=str(folder))
    resources = record.get("resources", {})
    kept = {name: resources.get(name) for name in ("device", "threads", "seed", "deterministic", "memory_gb")}
    group = started()
    if record.get("processes", 1) != group.size:
        kept["threads"] = None
    if group.size > 1:
        kept["device"] = str(kept["device"] or "auto").partition(":")[0]
    return dict(record.get("params", {})), {name: value for name, value in kept.items() if value is not None}
