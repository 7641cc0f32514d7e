"""/plots: the curves, views and classes of a job as its report draws them."""

from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Response

from verglas.errors import InputError
from verglas.report.class_sections import class_sections
from verglas.report.load import load_report
from verglas.report.load_tables import read_postprocess
from verglas.report.page import section_html
from verglas.report.plots_fsc import fsc_postprocess, guinier_of_postprocess
from verglas.report.sections import Card, Part, Section, make_section, resolution_section, view_section
from verglas.web.data.answers import Answers, FileIn, stamp

router = APIRouter(route_class=Answers)
GALLERY = "classes"
NO_CURVES = "This file holds no such curve."


@router.get("/plots")
def plots(path: FileIn) -> Response:
    """HTML: Fourier shell correlation and Guinier plot; for a refinement or classification also views, occupancy and flow."""
    return Response(_html(*stamp(path)), media_type="text/html; charset=utf-8")


@lru_cache(maxsize=8)
def _html(path: str, size: int, time: int) -> str:
    found = of_postprocess(Path(path)) if "postprocess" in Path(path).name or "fsc" in Path(path).name else of_job(Path(path).parent)
    if not any(one.cards for one in found):
        raise InputError("there are no curves to show", where=Path(path).name,
                         remedy="open postprocess.star, or a file of a refinement or classification")
    return "".join(map(section_html, found))


def of_postprocess(path: Path) -> tuple[Section, ...]:
    """Curves of a file in the layout of postprocess.star."""
    post = read_postprocess(path)
    fsc: Part = NO_CURVES
    if post.frequency.size:
        fsc = Card("Fourier shell correlation of the half maps", fsc_postprocess(post),
                   "Good: falls once and stays near 0; the randomised curve falls early.")
    guinier: Part = NO_CURVES
    if post.guinier_x.size and post.guinier:
        guinier = Card("Guinier plot", guinier_of_postprocess(post), "Good: straight beyond 10 Å; its slope is a quarter of the B-factor.")
    return (make_section("fsc", "Resolution", fsc, guinier),)


def of_job(folder: Path) -> tuple[Section, ...]:
    """What the report of the job says about resolution, views and classes; averages and maps have viewers of their own."""
    if not any((folder / name).is_file() for name in ("job.star", "job.json")):
        raise InputError("is not in the folder of a job", where=folder.name,
                         remedy="open postprocess.star, or a file of a refinement or classification")
    data = load_report(folder, maps=False)
    if data.classes is None:
        return resolution_section(data), view_section(data)
    return tuple(one for one in class_sections(data) if one.name != GALLERY)
