"""What jobs have to say it with: progress within an iteration and a report that also tells how the job ended."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from verglas.jobs.context import Context, Stopped

if TYPE_CHECKING:
    from verglas.report.data import State as Ending


REPORTED = ("Import", "MotionCorr", "CtfFind", "AutoPick", "ManualPick", "Extract", "Live")
"""Folders of jobs whose last page the runner writes; the others write their own."""
SHARE = 0.05
"""Of the time, for pages of a job that runs."""


class Reporter:
    """`done` of `total` images of the current stage, and the report of the job folder, which the leader writes."""

    def __init__(self, context: Context, total: int, share: float = SHARE) -> None:
        from verglas.report.live import LiveReport

        self.context, self.total, self.done = context, total, 0
        self._report = LiveReport(context.output, share)

    def show(self) -> None:
        """Write the report again when there is time for it."""
        if self.context.group.leads:
            self._report.update()

    def wait(self) -> None:
        """Until no page is being written, so that it cannot replace a later one."""
        self._report.wait()

    def end(self, how: "Ending") -> None:
        """The last page of the report."""
        if self.context.group.leads:
            self._report.close(how)

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Whatever ends the job early is said in a last page of the report too."""
        try:
            yield
        except BaseException as error:
            try:
                self.end("aborted" if isinstance(error, (Stopped, KeyboardInterrupt)) else "failed")
            except Exception as problem:  # the job's own error must not be hidden by one of its report
                self.context.log(f"the report could not be written: {problem}")
            raise


def last_page(context: Context, how: "Ending | None") -> None:
    """The report of a job that is over; `how` None: as its exit marker says. That it could not be written is said, and hinders nothing."""
    try:
        from verglas.report.build import build_report

        build_report(context.output, state=how)
    except Exception as problem:
        context.log(f"the report could not be written: {problem}")
