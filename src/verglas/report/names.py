"""Files by names that mean something to whoever is sent the report: from the project on, or the last part."""

import re
from dataclasses import replace
from pathlib import Path

from verglas.report.data import Record, ReportData
from verglas.report.micrograph_data import Processed

PIPELINE = "default_pipeline.star"
ABSOLUTE = re.compile(r"(?<![\w./@~…-])(?:/[^\s/'\",;:()\[\]]+){2,}/?|(?<=@)(?:/[^\s/'\",;:()\[\]]+){2,}")


def project_root(folder: Path) -> Path:
    """The project that a job folder is in; without one the folder above it."""
    above = folder.resolve().parents
    return next((one for one in above if (one / PIPELINE).is_file()), above[0])


def told_folder(folder: Path) -> str:
    """tutorial/Refine3D/job010."""
    root = project_root(folder)
    inside = folder.resolve().relative_to(root)
    return str(Path(root.name) / inside) if (root / PIPELINE).is_file() else str(inside)


def told(text: str, root: Path) -> str:
    """The text with files of the project by their names in it, and of others only the last part."""
    return ABSOLUTE.sub(lambda found: "…/" + found[0].rstrip("/").rpartition("/")[2], text.replace(f"{root}/", ""))


def told_data(data: ReportData, folder: Path) -> ReportData:
    """Without what only this computer knows."""
    root = project_root(folder)
    return replace(
        data,
        folder=told_folder(folder),
        record=told_record(data.record, root),
        settings=tuple((name, told(value, root)) for name, value in data.settings),
        missing=tuple(told(one, root) for one in data.missing),
        micrographs=_told_micrographs(data.micrographs, root) if data.micrographs is not None else None,
    )


def _told_micrographs(found: Processed, root: Path) -> Processed:
    failures, remarks = (tuple(replace(one, text=told(one.text, root)) for one in said) for said in (found.failures, found.remarks))
    return replace(found, failures=failures, remarks=remarks)


def told_record(record: Record, root: Path) -> Record:
    """Command, parameters, inputs and warnings."""
    return replace(
        record,
        command=told(record.command, root),
        params=tuple((name, told(value, root)) for name, value in record.params),
        inputs=tuple(replace(one, path=told(one.path, root)) for one in record.inputs),
        warnings=tuple(told(one, root) for one in record.warnings),
    )
