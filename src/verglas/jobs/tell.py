"""What every iterative job has to say it with: progress within an iteration and a report that also tells how the job ended."""

from collections.abc import Iterator
from contextlib import contextmanager

from verglas.jobs.context import Context, Stopped


class Reporter:
    """`done` of `total` images of the current stage, and the report of the job folder."""

    def __init__(self, context: Context, total: int) -> None:
        from verglas.report.live import LiveReport

        self.context, self.total, self.done = context, total, 0
        self.report = LiveReport(context.output)

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Whatever ends the job early is said in a last page of the report too."""
        try:
            yield
        except BaseException as error:
            try:
                self.report.close("aborted" if isinstance(error, (Stopped, KeyboardInterrupt)) else "failed")
            except Exception as problem:  # the job's own error must not be hidden by one of its report
                self.context.log(f"the report could not be written: {problem}")
            raise
