"""Every viewer in Chromium on a small project: it is offered on the page of its job, it draws, and the browser complains of nothing."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from verglas.api import new_project, phantom, write_map
from verglas.io.mrc import StackWriter
from verglas.io.pipeline_star import write_pipeline
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
    for name, box, count in (("CtfFind/job002/m.mrc", 64, 1), ("MotionCorr/job001/m.mrc", 64, 1), ("Extract/job004/a.mrcs", 24, 20),
                             ("Class2D/job005/run_it025_classes.mrcs", 24, 2)):
        with StackWriter(root / name, 2.0) as stack:
            stack.append(rng.normal(size=(count, box, box)).astype(np.float32))
    write_map(root / "Import/job007/map.mrc", phantom(32, 6.0))
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
        "_rlnCtfImage\nMotionCorr/job001/m.mrc 1 12345.678912 12000.0 30.0 4.5 CtfFind/job002/m.ctf:mrc\n")
    (root / "CtfFind/job002/m.mrc").rename(root / "CtfFind/job002/m.ctf")
    (root / "Import/job003/coordinates.star").write_text(f"data_particles\n\nloop_\n{PICKED}MotionCorr/job001/m.mrc 20 30 1\n")
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


@pytest.mark.slow
def test_chosen_particles_and_classes_become_select_jobs(server_of: Any, page: Any, project: Path) -> None:
    server = server_of("--project", str(project))
    page.goto(f"{server.origin}{server.base}/view/classes?file=Class2D/job005/run_it025_classes.mrcs&token={server.token}")
    page.goto(f"{server.origin}{server.base}/view/classes?file=Class2D/job005/run_it025_classes.mrcs")
    page.locator(".vg-tile").first.click()
    page.get_by_text("1 chosen with 10 of 20 particles").wait_for()
    page.get_by_role("button", name="Make a subset").click()
    page.locator(".vg-notice a", has_text="Select/job008").wait_for(timeout=60000)
    page.goto(f"{server.origin}{server.base}/view/particles?file=Extract/job004/particles.star")
    page.locator(".vg-sheet img").first.wait_for()
    page.locator(".vg-sheet").first.click(position={"x": 10, "y": 10})
    page.get_by_text("20 particles, 1 chosen").wait_for()
    page.get_by_role("button", name="Subset of the chosen").click()
    page.locator(".vg-notice a", has_text="Select/job009").click()
    page.locator(".page .state.Succeeded").wait_for(timeout=120000)
