"""/plots: the curves, views and classes of a job as its report draws them."""

from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

from verglas.errors import InputError
from verglas.report.class_sections import class_sections
from verglas.report.load import load_report
from verglas.report.load_tables import read_postprocess
from verglas.report.page import STYLE, section_html
from verglas.report.plots_fsc import fsc_postprocess, guinier_of_postprocess
from verglas.report.sections import Card, Part, Section, make_section, resolution_section, view_section
from verglas.web.data.answers import Answers, FileIn, stamp

router = APIRouter(route_class=Answers)
GALLERY = "classes"
NO_CURVES = "This file holds no such curve."


@router.get("/plots")
def plots(path: FileIn) -> Response:
    """HTML: Fourier shell correlation and Guinier plot; for a refinement or classification also views, occupancy and flow.

    X-Live: 1 while the job runs, so that the page asks again.
    """
    curves = "postprocess" in path.name or "fsc" in path.name
    html, live = _of_file(*stamp(path)) if curves else _of_folder(*stamp(path), *_news(path.parent))
    return Response(html, media_type="text/html; charset=utf-8", headers={"X-Live": str(int(live))})


@router.get("/plots/style")
def style() -> FileResponse:
    """How a report looks; its colours are set by the page."""
    return FileResponse(STYLE, media_type="text/css", headers={"Cache-Control": "no-cache"})


def _news(folder: Path) -> tuple[int, int]:
    """What changes with each iteration: files come, or the events grow."""
    events = folder / "events.jsonl"
    return folder.stat().st_mtime_ns, events.stat().st_size if events.is_file() else 0


@lru_cache(maxsize=4)
def _of_file(path: str, size: int, time: int) -> tuple[str, bool]:
    return _html(of_postprocess(Path(path)), Path(path).name), False


@lru_cache(maxsize=8)
def _of_folder(path: str, size: int, time: int, changed: int, events: int) -> tuple[str, bool]:
    found, live = of_job(Path(path).parent)
    return _html(found, Path(path).name), live


def _html(found: tuple[Section, ...], name: str) -> str:
    if not any(one.cards for one in found):
        raise InputError("there are no curves to show", where=name, remedy="open postprocess.star, or a file of a refinement or classification")
    return "".join(map(section_html, found))


def of_postprocess(path: Path) -> tuple[Section, ...]:
    """Curves of a file in the layout of postprocess.star."""
    post = read_postprocess(path)
    fsc: Part = NO_CURVES
    if post.frequency.size:
        fsc = Card("Fourier shell correlation of the half maps", fsc_postprocess(post),
                   "Good: falls once and stays near 0; the randomised curve falls early.", wide=True)
    guinier: Part = NO_CURVES
    if post.guinier_x.size and post.guinier:
        guinier = Card("Guinier plot", guinier_of_postprocess(post), "Good: straight beyond 10 Å; its slope is a quarter of the B-factor.")
    return (make_section("fsc", "Resolution", fsc, guinier),)


def of_job(folder: Path) -> tuple[tuple[Section, ...], bool]:
    """What the report of the job says about resolution, views and classes (averages and maps have viewers of their own), and whether it runs."""
    if not any((folder / name).is_file() for name in ("job.star", "job.json")):
        raise InputError("is not in the folder of a job", where=folder.name,
                         remedy="open postprocess.star, or a file of a refinement or classification")
    data = load_report(folder, maps=False)
    live = data.state == "running"
    if data.classes is None:
        return (resolution_section(data), view_section(data)), live
    return tuple(one for one in class_sections(data) if one.name != GALLERY), live
