"""job.star: a job's type and options as RELION 4 and 5 keep them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from verglas.io.star import Table, read_star, write_star
from verglas.io.star_columns import block_of
from verglas.io.star_rows import text_column

OPTION, VALUE = "rlnJobOptionVariable", "rlnJobOptionValue"


@dataclass(frozen=True)
class JobStar:
    """job_type: RELION's label, for example relion.refine3d.tomo; options: name -> text, as the user would type it (Yes, No, numbers, paths)."""

    job_type: str
    options: Mapping[str, str]
    is_continue: bool = False
    is_tomo: bool = False


def read_job(path: Path | str) -> JobStar:
    """Read RELION 4's and 5's files (RELION 3.1 kept a number instead of the label; it is returned as text)."""
    tables, name = read_star(path), str(path)
    job, values = block_of(tables, "job", name), block_of(tables, "joboptions_values", name)
    values.require((OPTION, VALUE))
    label = "rlnJobTypeLabel" if "rlnJobTypeLabel" in job.table else "rlnJobType"
    return JobStar(
        str(job.texts(label)[0]), dict(zip(values.texts(OPTION), values.texts(VALUE))),
        bool(job.integers("rlnJobIsContinue", 0)[0]), bool(job.integers("rlnJobIsTomo", 0)[0]),
    )


def write_job(path: Path | str, job: JobStar) -> None:
    """Write atomically in RELION 5's layout."""
    head = {"rlnJobTypeLabel": job.job_type, "rlnJobIsContinue": int(job.is_continue), "rlnJobIsTomo": int(job.is_tomo)}
    options = Table({OPTION: text_column(job.options), VALUE: text_column(job.options.values())})
    write_star(path, {"job": Table.of_values(head), "joboptions_values": options})
