"""A job for these tests: squares of numbers, each one item of work."""

import json
from pathlib import Path

from verglas.jobs.each import check_workers, each, workers_option
from verglas.jobs.registry import ENTRIES, Entry
from verglas.jobs.spec import Context, Job, JobParams, Plan, PlanLine, option
from verglas.testing.items import Square


class SquaresParams(JobParams):
    """Options of `verglas squares`."""

    number: int = option(help="How many.", ge=1)
    seconds: float = option(0.0, help="Time for each.", unit="s", ge=0)
    marks: Path = option(help="Folder for the marks of those that were begun.")
    workers: str = workers_option()


def check(params: SquaresParams, context: Context) -> Plan:
    check_workers(params.workers)
    return Plan((PlanLine("squares", str(params.number)),))


def run(params: SquaresParams, context: Context) -> None:
    found = each(context, [str(n) for n in range(params.number)], Square(params.marks, seconds=params.seconds), params.workers, "squares")
    (context.output / "squares.json").write_text(json.dumps([one.row and one.row["square"] for one in found]))


JOB = Job("squares", "Squares", "Squares of numbers.", SquaresParams, check, run, can_continue=True)
ENTRIES["squares"] = Entry("squares_job", "JOB", "Squares of numbers.")
