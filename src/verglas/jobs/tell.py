"""What every iterative job has to say it with: progress within an iteration and a report that also tells how the job ended."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from verglas.jobs.context import Context, Stopped

if TYPE_CHECKING:
    from verglas.report.data import State as Ending


class Reporter:
    """`done` of `total` images of the current stage, and the report of the job folder, which the leader writes."""

    def __init__(self, context: Context, total: int) -> None:
        from verglas.report.live import LiveReport

        self.context, self.total, self.done = context, total, 0
        self._report = LiveReport(context.output)

    def show(self) -> None:
        """Write the report again when there is time for it."""
        if self.context.group.leads:
            self._report.update()

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
