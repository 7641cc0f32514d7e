"""The stages of `verglas live` and the options that each job is given."""

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from verglas.errors import InputError
from verglas.jobs.folder import MARKERS
from verglas.jobs.live import LiveParams
from verglas.jobs.live_chain import Stage
from verglas.jobs.registry import find
from verglas.jobs.spec import options

SPREAD = ("motioncorr", "ctf", "pick", "extract")
"""Stages that share the workers."""


def stages_of(params: LiveParams, workers: str = "1") -> tuple[Stage, ...]:
    """In order, each with its options and those of the --options file; `workers`: number, or address of their scheduler."""
    given = {name: value for name, value in (("min_diameter", params.min_diameter), ("max_diameter", params.max_diameter)) if value is not None}
    found = [
        Stage("import", "import movies", {
            "pixel_size": params.pixel_size, "voltage": params.voltage, "cs": params.cs, "amplitude_contrast": params.amplitude_contrast,
            "dose": params.dose, "optics_group": params.optics_group, **_set(gain=params.gain),
        }, {}, "movies.star"),
        Stage("motioncorr", "motioncorr", {}, {"movies": ("import", "movies.star")},
              "corrected_micrographs.star"),
        Stage("ctf", "ctf", {}, {"micrographs": ("motioncorr", "corrected_micrographs.star")}, "micrographs_ctf.star"),
    ]
    if params.pick != "none":
        found.append(_picking(params, given))
    if params.pick != "none" and params.box is not None:
        found.append(Stage("extract", "extract", {"box": params.box, **_set(rescale=params.rescale)}, {
            "micrographs": ("ctf", "micrographs_ctf.star"), "coordinates": ("pick", "autopick.star"),
        }, "particles.star"))
        if params.class2d_every:
            found.append(Stage("class2d", "class2d", {"classes": params.classes}, {"particles": ("extract", "particles.star")}, MARKERS["SUCCESS"]))
    more = _read_options(params.options, {stage.name for stage in found})
    spread = [replace(stage, params=stage.params | ({"workers": workers} if stage.name in SPREAD else {})) for stage in found]
    return tuple(_checked(replace(stage, params=stage.params | more.get(stage.name, {}))) for stage in spread)


def _picking(params: LiveParams, given: dict[str, float]) -> Stage:
    source = {"micrographs": ("ctf", "micrographs_ctf.star")}
    if params.pick == "log":
        if len(given) < 2:
            raise InputError("--pick log needs --min-diameter and --max-diameter", remedy="give the size of the particles in Å")
        return Stage("pick", "pick log", dict(given), source, "autopick.star")
    if params.references is None:
        raise InputError("--pick template needs --references", remedy="give 2D averages (.mrcs, .star) or a map (.mrc)")
    return Stage("pick", "pick template", {"references": params.references}, source, "autopick.star")


def _set(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _read_options(path: Path | None, stages: set[str]) -> dict[str, dict[str, Any]]:
    if path is None:
        return {}
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError("no such file", where=f"--options {path}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"not a TOML file: {error}", where=str(path), remedy="write tables like [motioncorr] with lines like patches = 5") from None
    for name, table in tables.items():
        if name not in stages or not isinstance(table, dict):
            raise InputError(f"[{name}] is not a stage of this chain", where=str(path), remedy="use " + ", ".join(sorted(stages)))
    return tables


def _checked(stage: Stage) -> Stage:
    """Options that the job does not have are refused before anything runs."""
    known = {one.name for one in options(find(stage.job).params)}
    wrong = sorted(set(stage.params) - known)
    if wrong:
        raise InputError(f"{stage.job} has no option {wrong[0]!r}", where=f"[{stage.name}]", remedy="see verglas " + stage.job + " --help")
    return stage
