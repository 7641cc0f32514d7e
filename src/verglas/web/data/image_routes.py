"""/image, /picks, /particles, /classes, /micrograph: pictures of micrographs and particles, picks, spectra and tracks."""

from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from verglas.errors import InputError
from verglas.io import labels as L
from verglas.io.image_names import parse_image_names
from verglas.io.mrc_header import read_header
from verglas.io.star import Table
from verglas.io.star_columns import Source
from verglas.io.star_rows import text_column
from verglas.web.data import classes, details, images, picks, rows
from verglas.web.data.answers import Answers, FileIn, InProject, known, picture
from verglas.web.data.table_routes import Word, conditions
from verglas.web.places import file_in

router = APIRouter(route_class=Answers)
Name = Annotated[str, Query(max_length=1000)]
Pixel = Annotated[int, Query(ge=0, le=1_000_000)]
Side = Annotated[int, Query(ge=8, le=2048)]
Small = Annotated[int, Query(ge=16, le=256)]
Contrast = Annotated[float, Query(gt=0, le=100, allow_inf_nan=False)]
Length = Annotated[float, Query(ge=0, le=100_000, allow_inf_nan=False)]


@router.get("/image")
def facts(path: FileIn) -> dict[str, Any]:
    """Number and size of images."""
    header = read_header(path)
    return {"images": header.shape[0], "height": header.shape[1], "width": header.shape[2], "pixel": known(header.pixel_size)}


@router.get("/image/picture")
def png(path: FileIn, image: Pixel = 0, x: Pixel = 0, y: Pixel = 0, width: Pixel = 1_000_000, height: Pixel = 1_000_000, side: Side = 1024,
        contrast: Contrast = 3.0, lowpass: Length = 0, highpass: Length = 0) -> Response:
    """A window of an image, first row of the array on top, filtered between two wavelengths in Å (0: not)."""
    part, n = images.window(path, image, (x, y), (max(1, width), max(1, height)), side)
    shown = images.filtered(part, read_header(path).pixel_size * n, lowpass, highpass)
    return picture(images.shaded(shown, contrast))


@router.get("/picks")
def listed(project: InProject, file: Name) -> dict[str, Any]:
    """The micrographs of a table."""
    found = picks.fields(project, file)
    return {"diameter": known(picks.diameter(project, file)),
            "micrographs": [{"name": one.name, "picks": one.picks} for one in found]}


@router.get("/picks/of")
def of_micrograph(project: InProject, file: Name, micrograph: Name) -> dict[str, Any]:
    """Centres in pixels of the micrograph, figures of merit, and whether the micrograph itself can be shown."""
    found = picks.picks_of(project, file, micrograph)
    return {"xy": np.round(found.xy, 2).tolist(), "fom": [known(one) for one in found.fom.tolist()], "there": picks.is_there(project, micrograph)}


class Edited(BaseModel):
    """All picks of the micrographs that were edited: x, y in pixels and figure of merit."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    file: str = Field(max_length=1000)
    edits: dict[str, Annotated[list[tuple[float, float, float]], Field(max_length=200_000)]] = Field(max_length=100_000)
    threshold: float | None = None


@router.post("/picks/save")
def save(project: InProject, asked: Edited) -> dict[str, str]:
    """The name of the new pick manual job."""
    project.require_writable()
    edits = {name: np.array(found, dtype=float).reshape(-1, 3) for name, found in asked.edits.items()}
    for name, found in edits.items():
        if found.size and not (found[:, :2].min() > -1e6 and found[:, :2].max() < 1e6):
            raise InputError("picks far outside of the micrograph", where=name[:200])
    return {"job": picks.save(project, asked.file, edits, asked.threshold).name}


class Kept(BaseModel):
    """Micrographs to leave out."""

    model_config = ConfigDict(extra="forbid", strict=True)
    file: str = Field(max_length=1000)
    without: list[Annotated[str, Field(max_length=1000)]] = Field(min_length=1, max_length=100_000)


@router.post("/picks/subset")
def micrographs_subset(project: InProject, asked: Kept) -> dict[str, str]:
    """The name of the new Select job."""
    return {"job": picks.without(project, asked.file, set(asked.without)).name}


@router.get("/particles/picture")
def particle_sheet(path: FileIn, project: InProject, block: Word = "particles", where: Annotated[str, Query(max_length=8000)] = "",
                   sort: Word = "", down: bool = False, start: Pixel = 0, count: Annotated[int, Query(ge=1, le=400)] = 100,
                   across: Annotated[int, Query(ge=1, le=40)] = 10, side: Small = 96, contrast: Contrast = 3.0,
                   lowpass: Length = 0) -> Response:
    """One picture of some particles in the order of /table/rows; a stack of images is taken as it is."""
    if path.suffix == ".mrcs":
        total = read_header(path).shape[0]
        places = [(path, number) for number in range(min(start, total), min(start + count, total))]
    else:
        found = rows.arranged(path, block, conditions(where), sort.lstrip("_"), down)[start : start + count]
        names = text_column(rows.opened(path, block).texts(L.IMAGE_NAME, found))
        refs = parse_image_names(Source(Table({L.IMAGE_NAME: names}), path.name, block))
        stacks = [file_in(project, one) for one in refs.stacks]
        places = [(stacks[one], int(number)) for one, number in zip(refs.stack, refs.index)]
    found_images = images.read_images(places)
    if lowpass and places:
        pixel = read_header(places[0][0]).pixel_size
        found_images = [images.filtered(one, pixel, lowpass, None) for one in found_images]
    return picture(images.sheet(found_images, across, side, contrast) if found_images else np.zeros((side, side), dtype=np.uint8))


@router.get("/classes")
def table_of_classes(project: InProject, file: Name) -> dict[str, Any]:
    """Numbers of every class."""
    file_in(project, file)
    files = classes.family(project, file)
    found = classes.read_classes(project, files)
    listed = [{"number": one.number, "share": known(one.share), "resolution": known(one.resolution), "score": known(one.score),
               "members": one.members} for one in found[: classes.MOST]]
    return {"classes": listed, "particles": files.particles, "model": files.model, "stack": files.stack, "total": len(found)}


@router.get("/classes/picture")
def class_sheet(project: InProject, file: Name, across: Annotated[int, Query(ge=1, le=40)] = 10, side: Small = 128) -> Response:
    """Averages (or central sections) of all classes by number, in one picture."""
    file_in(project, file)
    return picture(images.sheet(classes.averages(project, classes.family(project, file)), across, side, 4.0)[:16_000])


@router.get("/micrograph")
def micrograph(project: InProject, file: Name, kind: Literal["ctf", "motion"], row: Annotated[int, Query(ge=0, le=10**8)]) -> dict[str, Any]:
    """Spectrum and fit, or the motion of its movie."""
    return details.as_json(details.shown(project, file, kind, row))
