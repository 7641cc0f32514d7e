"""Every viewer in Chromium on a small project: it is offered on the page of its job, it draws, and the browser complains of nothing."""

import json
import os
import platform
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from verglas.api import new_project, phantom, write_map
from verglas.io.mrc import StackWriter
from verglas.io.pipeline_star import write_pipeline
from verglas.io.star import read_star
from verglas.types import Map
from verglas.types.pipeline import Node, Pipeline, Process

OPTICS = ("data_optics\n\nloop_\n_rlnOpticsGroup\n_rlnImagePixelSize\n_rlnImageSize\n_rlnMicrographPixelSize\n_rlnVoltage\n_rlnSphericalAberration\n"
          "_rlnAmplitudeContrast\n1 2.0 24 2.0 300 2.7 0.1\n\n")
PICKED = "_rlnMicrographName\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnOpticsGroup\n"
MOTION = """data_general

_rlnImageSizeX 64
_rlnImageSizeY 64
_rlnImageSizeZ 3
_rlnMicrographMovieName Movies/m.tiff
_rlnMicrographBinning 1.0
_rlnMicrographOriginalPixelSize 2.0
_rlnMicrographDoseRate 1.0
_rlnMicrographPreExposure 0.0
_rlnVoltage 300.0
_rlnMicrographStartFrame 1
_rlnMotionModelVersion 0

data_global_shift

loop_
_rlnMicrographFrameNumber
_rlnMicrographShiftX
_rlnMicrographShiftY
1 0.0 0.0
2 0.5 0.2
3 0.8 0.3
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Jobs with one file for each viewer."""
    root = new_project(tmp_path / "p").root
    rng = np.random.default_rng(3)
    nodes = {"MotionCorr/job001/corrected_micrographs.star": "MicrographGroupMetadata.star.relion.motioncorr",
             "CtfFind/job002/micrographs_ctf.star": "MicrographGroupMetadata.star.relion.ctf",
             "Import/job003/coordinates.star": "MicrographCoordsGroup.star.relion",
             "Extract/job004/particles.star": "ParticleGroupMetadata.star.relion",
             "Class2D/job005/run_it025_classes.mrcs": "Image2DStack.mrcs.relion.class2d",
             "PostProcess/job006/postprocess.star": "ProcessData.star.relion",
             "Import/job007/map.mrc": "DensityMap.mrc.relion"}
    for name in nodes:
        (root / name).parent.mkdir(parents=True)
        ((root / name).parent / "RELION_JOB_EXIT_SUCCESS").touch()
    for name, box, count in (("CtfFind/job002/m.mrc", 64, 1), ("MotionCorr/job001/m.mrc", 64, 1), ("MotionCorr/job001/m2.mrc", 64, 1),
                             ("MotionCorr/job001/m3.mrc", 64, 1), ("Extract/job004/a.mrcs", 24, 20),
                             ("Class2D/job005/run_it025_classes.mrcs", 24, 2)):
        with StackWriter(root / name, 2.0) as stack:
            stack.append(rng.normal(size=(count, box, box)).astype(np.float32))
    solid = phantom(32, 6.0)
    write_map(root / "Import/job007/map.mrc", solid)
    write_map(root / "Import/job007/locres.mrc", Map(4.0 + np.indices((32, 32, 32))[2].astype(np.float32) / 10, 6.0, (0.0, 0.0, 0.0)))
    write_map(root / "Import/job007/long.mrc", Map(solid.data[:, 8:24], 6.0, (0.0, 0.0, 0.0)))
    (root / "MotionCorr/job001/m.star").write_text(MOTION)
    (tmp_path / "gain.mrc").write_bytes(b"on the disk of the microscope")
    (root / "gain.mrc").symlink_to(tmp_path / "gain.mrc")
    _tables(root)
    jobs = {name.rpartition("/")[0]: name for name in nodes}
    kinds = {"MotionCorr": "motioncorr.own", "CtfFind": "ctffind", "Import": "import.movies", "Extract": "extract", "Class2D": "class2d",
             "PostProcess": "postprocess"}
    write_pipeline(root / "default_pipeline.star", Pipeline(
        8, tuple(Process(one, f"relion.{kinds[one.partition('/')[0]]}", "Succeeded") for one in jobs),
        tuple(Node(name, label) for name, label in nodes.items()), (), tuple(jobs.items())))
    return root


def _tables(root: Path) -> None:
    (root / "MotionCorr/job001/corrected_micrographs.star").write_text(
        f"{OPTICS}data_micrographs\n\nloop_\n_rlnMicrographName\n_rlnMicrographGainName\n_rlnMicrographMetadata\n_rlnOpticsGroup\n_rlnAccumMotionTotal\n"
        "MotionCorr/job001/m.mrc gain.mrc MotionCorr/job001/m.star 1 1.7\n")
    (root / "CtfFind/job002/micrographs_ctf.star").write_text(
        f"{OPTICS}data_micrographs\n\nloop_\n_rlnMicrographName\n_rlnOpticsGroup\n_rlnDefocusU\n_rlnDefocusV\n_rlnDefocusAngle\n_rlnCtfMaxResolution\n"
        "_rlnCtfImage\nMotionCorr/job001/m.mrc 1 12345.678912 12000.0 30.0 4.5 CtfFind/job002/m.ctf:mrc\n"
        "MotionCorr/job001/m2.mrc 1 10000.0 9000.0 30.0 5.5 CtfFind/job002/m.ctf:mrc\n"
        "MotionCorr/job001/m3.mrc 1 9000.0 8000.0 30.0 9.5 CtfFind/job002/m.ctf:mrc\n")
    (root / "CtfFind/job002/m.mrc").rename(root / "CtfFind/job002/m.ctf")
    (root / "Import/job003/coordinates.star").write_text(f"data_particles\n\nloop_\n{PICKED}MotionCorr/job001/m.mrc 20 30 1\n"
                                                        "MotionCorr/job001/m2.mrc 10 30 1\nMotionCorr/job001/m3.mrc 10 40 1\n")
    rows = "".join(f"{k + 1:06d}@Extract/job004/a.mrcs MotionCorr/job001/m.mrc {k}.0 {k}.0 1 {k % 2 + 1}\n" for k in range(20))
    text = f"{OPTICS}data_particles\n\nloop_\n_rlnImageName\n{PICKED}_rlnClassNumber\n{rows}"
    (root / "Extract/job004/particles.star").write_text(text)
    (root / "Class2D/job005/run_it025_data.star").write_text(text)
    (root / "Class2D/job005/run_it025_model.star").write_text(
        "data_model_general\n\n_rlnNrClasses 2\n_rlnReferenceDimensionality 2\n_rlnPixelSize 2.0\n_rlnOriginalImageSize 24\n\n"
        "data_model_classes\n\nloop_\n"
        "_rlnReferenceImage\n_rlnClassDistribution\n_rlnEstimatedResolution\n000001@Class2D/job005/run_it025_classes.mrcs 0.5 12.0\n"
        "000002@Class2D/job005/run_it025_classes.mrcs 0.5 14.0\n")
    curve = "".join(f"{k} {k / 48:.4f} {48 / max(k, 0.048):.3f} {max(0, 1 - k / 9):.3f}\n" for k in range(13))
    (root / "PostProcess/job006/postprocess.star").write_text(
        f"data_general\n\n_rlnFinalResolution 6.5\n\ndata_fsc\n\nloop_\n_rlnSpectralIndex\n_rlnResolution\n_rlnAngstromResolution\n"
        f"_rlnFourierShellCorrelationCorrected\n{curve}")


VIEWS = (("MotionCorr/job001/corrected_micrographs.star", "motion", "Motion", ".vg-details canvas"),
         ("CtfFind/job002/micrographs_ctf.star", "ctf", "CTF", ".ag-cell:has-text('12345.7')"),
         ("Import/job003/coordinates.star", "micrographs", "Micrographs", "canvas[data-ready=true]"),
         ("Extract/job004/particles.star", "particles", "Particles", ".vg-sheet img"),
         ("Class2D/job005/run_it025_classes.mrcs", "classes", "Classes", ".vg-tile >> nth=1"),
         ("PostProcess/job006/postprocess.star", "plots", "Curves", ".vg svg path"),
         ("Import/job007/map.mrc", "volume", "Slices and surface", "canvas.vg-slice"),
         ("Extract/job004/particles.star", "table", "Table", ".ag-cell:has-text('000001@')"))


@pytest.mark.slow
def test_each_viewer_is_offered_and_draws(server_of: Any, page: Any, project: Path) -> None:
    server = server_of("--project", str(project))
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda one: wrong.append(one.text) if one.type == "error" else None)
    page.on("response", lambda one: wrong.append(f"{one.status} {one.url}") if one.status >= 400 else None)
    page.goto(f"{server.origin}{server.base}?token={server.token}")
    for name, viewer, words, sign in VIEWS:
        page.goto(f"{server.origin}{server.base}/job/{name.rpartition('/')[0]}")
        page.get_by_role("tab", name="Files").click()
        line = page.locator("section", has_text="What it hands on").locator(".line", has_text=name).last
        line.get_by_role("button", name=words, exact=True).click()
        page.wait_for_url(re.compile(rf"/view/{viewer}\?file="))
        page.locator(sign).first.wait_for(timeout=60000)
        page.wait_for_timeout(300)
        assert not page.locator(".vg-notice.bad:visible").count(), (viewer, page.locator(".vg-notice.bad").all_inner_texts())
        assert not wrong, (viewer, wrong)


@pytest.fixture
def look(server_of: Any, page: Any, project: Path) -> Callable[[str, str, str], None]:
    """look(viewer, file, sign): the viewer with the file, drawn."""
    server = server_of("--project", str(project))
    page.goto(f"{server.origin}{server.base}?token={server.token}")

    def go(viewer: str, file: str, sign: str) -> None:
        page.goto(f"{server.origin}{server.base}/view/{viewer}?file={file}")
        page.locator(sign).first.wait_for(timeout=60000)

    return go


def made(page: Any, button: str) -> str:
    """Press the button; the job that is made."""
    links = page.locator(".vg-notice a:visible")
    before = links.all_inner_texts()
    page.get_by_role("button", name=button, exact=True).click()
    for _ in range(600):
        now = links.all_inner_texts()
        if now and now != before:
            return str(now[0])
        page.wait_for_timeout(100)
    raise AssertionError(f"no job of {button}: {page.locator('.vg-notice').all_inner_texts()}")


def downloaded(page: Any, what: Any) -> bytes:
    with page.expect_download() as got:
        what.click()
    return Path(got.value.path()).read_bytes()


@pytest.mark.slow
def test_rows_are_ticked_or_drawn_around(look: Any, page: Any, project: Path) -> None:
    look("ctf", "CtfFind/job002/micrographs_ctf.star", ".ag-cell:has-text('12345.7')")
    page.get_by_label("row 1", exact=True).click()
    page.get_by_label("row 3", exact=True).click()
    page.get_by_text("3 rows; 2 ticked").wait_for()
    page.get_by_label("row 3", exact=True).click()
    page.get_by_text("3 rows; 1 ticked").wait_for()
    page.get_by_label("row 1", exact=True).click()
    page.get_by_label("row 1", exact=True).click()
    page.get_by_label("row 2", exact=True).click(modifiers=["Shift"])
    page.get_by_text("3 rows; 2 ticked").wait_for()
    kept = made(page, "Subset of the ticked rows")
    names = read_star(project / kept / "chosen.star")["micrographs"]["rlnMicrographName"].tolist()
    assert names == ["MotionCorr/job001/m.mrc", "MotionCorr/job001/m2.mrc"]
    page.get_by_role("button", name="Plot two columns").click()
    page.get_by_label("Across").select_option("rlnDefocusU")
    page.get_by_label("Up", exact=True).select_option("rlnCtfMaxResolution")
    page.get_by_label("Draw", exact=True).select_option("free")
    canvas = page.locator(".vg-plotbox canvas")
    page.wait_for_timeout(300)
    canvas.scroll_into_view_if_needed()
    area = canvas.bounding_box()  # the best resolution is at the lower right
    page.mouse.move(area["x"] + area["width"] - 60, area["y"] + area["height"] - 20)
    page.mouse.down()
    for dx, dy in ((0, -120), (40, -120), (50, -60), (50, -10)):
        page.mouse.move(area["x"] + area["width"] - 60 + dx, area["y"] + area["height"] - 20 + dy, steps=4)
    page.mouse.up()
    drawn = made(page, "Subset of the drawn")
    assert read_star(project / drawn / "chosen.star")["micrographs"]["rlnMicrographName"].tolist() == ["MotionCorr/job001/m.mrc"]
    canvas.press("Escape")
    assert not page.get_by_role("button", name="Subset of the drawn").is_visible()
    assert downloaded(page, page.get_by_role("button", name="PNG")).startswith(b"\x89PNG")


@pytest.mark.slow
def test_picks_are_edited_and_bad_micrographs_left_out(look: Any, page: Any, project: Path) -> None:
    look("micrographs", "Import/job003/coordinates.star", "canvas[data-ready=true]")
    page.get_by_text("Add and delete picks").click()
    page.get_by_label("Circle").fill("10")
    canvas = page.locator("canvas.vg-field")
    canvas.click(position={"x": 600, "y": 100})
    page.get_by_text("2 picks; 1 micrograph edited").wait_for()
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("1 picks", exact=True).wait_for()
    canvas.click(position={"x": 600, "y": 100})
    job = made(page, "Save the picks")
    assert job.startswith("ManualPick/")
    assert len(read_star(project / job / "edited/m_manualpick.star")[""]) == 2
    canvas.press("ArrowRight")
    page.get_by_label("Leave this micrograph out").check()
    kept = made(page, "Subset of the others")
    names = read_star(project / kept / "chosen.star")["micrographs"]["rlnMicrographName"].tolist()
    assert names == ["MotionCorr/job001/m.mrc", "MotionCorr/job001/m3.mrc"]


@pytest.mark.slow
def test_slices_and_surfaces_of_two_maps(look: Any, page: Any, project: Path) -> None:
    look("volume", "Import/job007/map.mrc", "canvas.vg-slice[data-shown='one 16']")
    page.locator(".vg-frame").first.press("PageUp")
    page.locator("canvas.vg-slice[data-shown='one 26']").wait_for()
    page.get_by_label("Show", exact=True).select_option("minus")
    page.get_by_label("Second map").select_option("Import/job007/locres.mrc")
    page.locator("canvas.vg-slice[data-shown='minus 26']").wait_for()
    page.get_by_label("Second map").select_option("Import/job007/long.mrc")
    page.get_by_text("cannot be subtracted").wait_for()
    page.get_by_label("Show", exact=True).select_option("beside")
    page.locator("canvas.vg-slice[data-shown='other 26']").wait_for()
    page.get_by_role("tab", name="Surface").click()
    page.locator("canvas.vg-surface[data-triangles]").wait_for(timeout=60000)
    page.get_by_label("Colour by").select_option("Import/job007/locres.mrc")
    page.locator(".vg-legend", has_text="Å").wait_for()
    page.get_by_label("Beside").select_option("Import/job007/long.mrc")
    page.locator("canvas.vg-surface[data-triangles] >> nth=1").wait_for(timeout=60000)
    assert int(page.locator("canvas.vg-surface").first.get_attribute("data-triangles")) > 100
    script = downloaded(page, page.get_by_role("link", name="script")).decode()
    assert "color sample #1 map #2 palette" in script and str(project) in script
    assert downloaded(page, page.get_by_role("link", name="with the maps")).startswith(b"PK")


@pytest.mark.slow
def test_oblong_maps_fit_into_the_window(look: Any, page: Any) -> None:
    look("volume", "Import/job007/long.mrc", "canvas.vg-slice[data-shown]")
    boxes = [one.bounding_box() for one in page.locator(".vg-frame").all()[:3]]
    assert [round(one["width"] / one["height"], 1) for one in boxes] == [2.0, 1.0, 0.5]
    assert max(one["height"] for one in boxes) < 600


@pytest.mark.slow
def test_curves_follow_a_running_job(look: Any, page: Any, project: Path) -> None:
    folder = project / "Class2D/job005"
    (folder / "RELION_JOB_EXIT_SUCCESS").unlink()
    (folder / "job.json").write_text(json.dumps({"job": "class2d", "process": os.getpid(), "hardware": {"host": platform.node()}}))

    def iterate(*numbers: int) -> None:
        rows = [{"event": "iteration", "iteration": one, "class_sizes": [1 - 0.05 * one, 0.05 * one], "class_resolution_A": [12.0, 14.0],
                 "class_flow": [[8, 2], [1, 9]]} for one in numbers]
        with (folder / "events.jsonl").open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)

    iterate(1, 2, 3)
    look("plots", "Class2D/job005/job.json", ".vg svg")
    page.get_by_text("The job is running").wait_for()
    page.get_by_text("Flow between the classes").wait_for()
    page.locator("svg text", has_text="class 1: 85 %").wait_for()
    iterate(4)
    page.locator("svg text", has_text="class 1: 80 %").wait_for(timeout=20000)
    (folder / "RELION_JOB_EXIT_SUCCESS").touch()
    page.get_by_text("The job is running").wait_for(state="hidden", timeout=20000)


@pytest.mark.slow
def test_a_report_follows_the_colours_of_the_page(server_of: Any, page: Any, project: Path) -> None:
    (project / "Class2D/job005/report.html").write_text(
        "<style>:root { color-scheme: light dark } @media (prefers-color-scheme: dark) { body { background: rgb(1, 2, 3) } }</style><h1>R</h1>")
    server = server_of("--project", str(project))
    page = page.context.browser.new_page(color_scheme="null")
    page.goto(f"{server.origin}{server.base}?token={server.token}")
    for mode, dark in (("dark", True), ("light", False)):
        page.context.add_cookies([{"name": "verglas_mode", "value": mode, "url": server.origin}])
        page.goto(f"{server.origin}{server.base}/job/Class2D/job005")
        page.get_by_role("tab", name="Report").click()
        found = page.frame_locator("iframe.report").locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
        assert (found == "rgb(1, 2, 3)") == dark


@pytest.mark.slow
def test_chosen_particles_and_classes_become_select_jobs(look: Any, page: Any) -> None:
    look("classes", "Class2D/job005/run_it025_classes.mrcs", ".vg-tile")
    page.locator(".vg-tile").first.click()
    page.get_by_text("1 chosen with 10 of 20 particles").wait_for()
    assert made(page, "Make a subset") == "Select/job008"
    page.locator(".vg-tile").last.click(modifiers=["Shift"])
    page.get_by_text("2 chosen with 20 of 20 particles").wait_for()
    page.get_by_role("button", name="See the particles").click()
    page.get_by_text("Particles of class 1, 2").wait_for()
    page.get_by_text("20 particles;").wait_for()
    look("particles", "Extract/job004/particles.star", ".vg-sheet img")
    sheet = page.locator(".vg-sheet").first
    sheet.click(position={"x": 10, "y": 10})
    page.get_by_text("20 particles, 1 chosen").wait_for()
    sheet.press("ArrowRight")
    sheet.press("ArrowRight")
    sheet.press("Shift+Enter")
    page.get_by_text("20 particles, 3 chosen").wait_for()
    page.get_by_label("Size").fill("64")
    page.locator(".vg-mark:not(.here) >> nth=2").wait_for()
    assert made(page, "Subset of the chosen") == "Select/job009"
    page.locator(".vg-notice a").click()
    page.locator(".page .state.Succeeded").wait_for(timeout=300000)  # its slot may be held by another project
