"""What the commands of a project print."""

import time
from collections.abc import Iterable, Sequence
from textwrap import shorten
from typing import TYPE_CHECKING

from verglas.project import clean as cleaning
from verglas.project.archive import trash_size
from verglas.project.edit import with_dependents
from verglas.project.graph import parents
from verglas.project.layout import number_of
from verglas.units import file_size

if TYPE_CHECKING:
    from verglas.api.project import Job, Project


def job_table(project: "Project") -> str:
    """One line for each job."""
    found = project.snapshot()
    of = parents(found.graph)
    lines = [("job", "second name", "state", "ended", "took", "reads from")]
    for row in project.rows_of(found):
        one, detail = row.process, shorten(row.detail, 70)
        took = (row.ended or time.time()) - row.started if row.started is not None and one.state != "Scheduled" else None
        sources = " ".join(name.rpartition("/")[2] for name in sorted(of.get(one.name, set()), key=number_of))
        lines.append((one.name, one.alias.rpartition("/")[2], f"{one.state} ({detail})" if detail else one.state, moment(row.ended),
                      duration(took), sources))
    if len(lines) == 1:
        return "no jobs yet"
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in lines)


def moment(when: float | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(when)) if when else ""


def duration(seconds: float | None) -> str:
    """1:02:03, or 0:07."""
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def cleaned(project: "Project", jobs: "Iterable[Job]", harsh: bool, yes: bool) -> str:
    """What goes, job by job."""
    pipeline = project.pipeline
    plans = [cleaning.plan(project.root, pipeline, one.name, harsh) for one in jobs]
    plans = [one for one in plans if one.files or one.kept]
    lines = [f"{one.job}: {one.kept or f'{len(one.files)} files, {file_size(one.bytes)}'}" for one in plans]
    total = sum(one.bytes for one in plans)
    if yes:
        project.require_writable()
        for one in plans:
            cleaning.carry_out(project.root, one)
        return "\n".join([*lines, f"{file_size(total)} moved to Trash; `verglas project trash --empty` frees it"])
    return "\n".join([*lines, f"{file_size(total)} in all" + ("; nothing was moved yet, give --yes" if total else "")])


def trashed(project: "Project", jobs: Sequence[str], yes: bool) -> str:
    """Which jobs go."""
    names = [project.job(one).name for one in jobs]
    if yes:
        return "moved to Trash: " + ", ".join(project.trash(*names))
    return f"would move to Trash: {', '.join(with_dependents(project.graph, names))}; give --yes"


def emptied(project: "Project", yes: bool) -> str:
    if yes:
        return f"{file_size(project.empty_trash())} freed"
    return f"would remove {file_size(trash_size(project.root))} for good; give --yes"
