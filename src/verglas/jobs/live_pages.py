"""The reports of `verglas live` and of the jobs of its chain, kept fresh beside the work, one at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from verglas.jobs.context import Context
from verglas.jobs.tell import SHARE, last_page

if TYPE_CHECKING:
    from verglas.report.live import LiveReport


class Pages:
    """One report for each folder; the first is that of the chain itself, whose last page the runner writes."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._reports: dict[Path, LiveReport] = {}

    def show(self, folders: Sequence[Path]) -> None:
        """Begin the page that has waited longest, when none is being written and there is time for it."""
        from verglas.report.live import LiveReport

        for folder in folders:
            if folder not in self._reports:
                self._reports[folder] = LiveReport(folder, SHARE)
        if any(one.busy for one in self._reports.values()):
            return
        for folder, report in list(self._reports.items()):
            if (folder / "job.json").exists() and report.update():
                self._reports[folder] = self._reports.pop(folder)  # to the end of the queue
                return

    @contextmanager
    def kept(self) -> Iterator[None]:
        """At the end, however it comes, the last pages of the stages."""
        try:
            yield
        finally:
            for folder, report in self._reports.items():
                report.wait()
                if folder != self.context.output:
                    last_page(replace(self.context, output=folder), None)
