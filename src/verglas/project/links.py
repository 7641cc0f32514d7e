"""What a job folder says of itself: kind, files read and files handed on."""

from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

from verglas.errors import VerglasError
from verglas.io.job_star import read_job
from verglas.io.pipeline_star import read_output_nodes
from verglas.jobs.folder import JOB_FILE, MARKERS
from verglas.jobs.job_star import foreign_type
from verglas.jobs.outputs import ACCEPTED, FILE, MAP, PARTICLES, RULES, accepts, outputs_of, promised
from verglas.jobs.provenance import read_record
from verglas.project.layout import in_project, owner
from verglas.project.request import JobRequest, read_request
from verglas.types.pipeline import Node

KINDS = {
    "relion.import.movies": "import movies", "relion.import": "import movies", "relion.motioncorr": "motioncorr", "relion.ctffind": "ctf",
    "relion.manualpick": "pick manual", "relion.autopick.log": "pick log", "relion.autopick": "pick template", "relion.extract": "extract",
    "relion.select": "select", "relion.class2d": "class2d", "relion.class3d": "class3d", "relion.initialmodel": "initialmodel",
    "relion.refine3d": "refine3d", "relion.maskcreate": "mask", "relion.postprocess": "postprocess",
}
"""RELION's label, or its beginning -> the job of ours that does the same."""
LABELS = {".star": PARTICLES, ".mrc": MAP}


class Links(NamedTuple):
    """`type`: RELION's label of the job; files that it reads and hands on. `whole`: these are all of them, so that others are out of date."""

    type: str
    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    whole: bool


def kind_of(label: str) -> str:
    """relion.class2d.em -> class2d; "" for what we have no job for."""
    pieces = label.split(".")
    return next((KINDS[name] for end in range(len(pieces), 1, -1) if (name := ".".join(pieces[:end])) in KINDS), "")


def links_of(root: Path, name: str) -> Links:
    """From RELION_OUTPUT_NODES.star, job.json or the request, and job.star."""
    folder = root / name
    record, request = record_of(folder), request_of(folder)
    label, options = _job_star(folder)
    job = str(record.get("job") or (request.job if request else ""))
    if request is not None and (request.status != "launched" or not record):
        files = _files(root, request.params)
    elif record:
        files = [(str(one.get("option", "")).removeprefix("--"), str(one["path"])) for one in record.get("inputs", [])]
        files = [(option, path) for option, path in files if option or path.endswith(".star")]
    else:
        files = [("", value) for value in options.values() if owner(value)]
    inside = tuple(one for one in handed_on(root, name) if owner(one.name) == name)
    kind = label or foreign_type(name.partition("/")[0])
    return Links(kind, tuple(_inputs(root, name, files)), inside, bool(job))


def record_of(folder: Path) -> dict[str, Any]:
    """job.json, {} where it is not there or broken."""
    try:
        return read_record(folder) if (folder / JOB_FILE).exists() else {}
    except VerglasError:
        return {}


def request_of(folder: Path) -> JobRequest | None:
    """The request, None where it is not there or broken."""
    try:
        return read_request(folder)
    except VerglasError:
        return None


def _job_star(folder: Path) -> tuple[str, dict[str, str]]:
    try:
        found = read_job(folder / "job.star")
    except VerglasError:
        return "", {}
    return found.job_type, dict(found.options)


def _files(root: Path, params: dict[str, Any]) -> list[tuple[str, str]]:
    """(parameter, path) of the values that may be files; @job as the file that this job will hand on, where its name is known."""
    found = []
    for name, value in params.items():
        values = value if isinstance(value, list | tuple) else str(value).split(",") if isinstance(value, str | Path) else []
        found += [(name, _referenced(root, name, str(one)[1:]) if str(one).startswith("@") else str(one)) for one in values]
    return found


def _referenced(root: Path, parameter: str, reference: str) -> str:
    """Refine3D/job012/run_class001.mrc for Refine3D/job012; "" where nothing is known yet."""
    job = "/".join(reference.split("/")[:2])
    if job != reference or not (root / job).is_dir():
        return reference
    return next((one.name for one in handed_on(root, job) if accepts(parameter, one)), "")


def handed_on(root: Path, name: str) -> tuple[Node, ...]:
    """What a job of ours hands on, or will. A job that was run outside a project has left no list; its folder tells."""
    folder = root / name
    if (folder / FILE).exists():
        try:
            return read_output_nodes(folder / FILE)
        except VerglasError:
            return ()
    record, request = record_of(folder), request_of(folder)
    job = str(record.get("job") or (request.job if request else ""))
    if job not in RULES:
        return ()
    return outputs_of(job, folder, name) if (folder / MARKERS["SUCCESS"]).exists() else promised(job, name)


def _inputs(root: Path, name: str, files: Iterable[tuple[str, str]]) -> Iterable[Node]:
    for option, path in files:
        file = in_project(root, path)
        parameter = option.replace("-", "_")
        if owner(file) != name and (owner(file) or parameter in ACCEPTED) and (root / (owner(file) or file)).exists():
            yield Node(file, _label(file, parameter))


def _label(file: str, parameter: str) -> str:
    """By the job type that writes such a file, else by the parameter that reads it, else by its ending."""
    name, kind = file.rpartition("/")[2], file.partition("/")[0]
    for job, rules in RULES.items():
        if job.replace(" ", "").lower() == kind.lower():
            for pattern, label in rules:
                if fnmatch(name, pattern):
                    return label
    suffix = Path(name).suffix
    if parameter in ("mask", "focus_mask"):
        return "Mask3D.mrc.relion"
    kinds = ACCEPTED.get(parameter, ())
    return f"{kinds[0]}{suffix}.relion" if kinds else LABELS.get(suffix, f"Other{suffix}")
