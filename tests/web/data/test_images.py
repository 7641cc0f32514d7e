"""Windows are means of pixels, filters act as said, picks go a round through a job; a real project in every viewer."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from verglas.errors import InputError
from verglas.io.coordinates import read_coordinates
from verglas.io.mrc import MrcStack
from verglas.io.pipeline_star import read_pipeline, write_pipeline
from verglas.jobs.folder import PIPELINE
from verglas.jobs.pick_manual import PickManualParams, matched
from verglas.testing.data import shared_data
from verglas.types.pipeline import Node
from verglas.web.data import images


def pixels(answer) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def test_a_window_is_the_mean_of_its_pixels(small) -> None:
    path = small.project.root / "mic.mrc"
    with MrcStack(path) as stack:
        whole = stack.read(np.array([0]))[0]
    found, n = images.window(path, 0, (10, 20), (40, 30), 20)
    assert n == 2 and np.allclose(found, whole[20:50, 10:50].reshape(15, 2, 20, 2).mean(axis=(1, 3)), atol=1e-6)
    assert images.window(path, 0, (85, 55), (1000, 1000), 100)[0].shape == (5, 5)
    with pytest.raises(InputError, match="image 2 of 1"):
        images.window(path, 1, (0, 0), (10, 10), 10)


def test_a_filter_halves_the_wave_at_its_length() -> None:
    wave = np.cos(2 * np.pi * np.arange(100) / 20)[None].repeat(100, axis=0).astype(np.float32)  # 20 pixels = 40 Å
    assert np.allclose(images.filtered(wave, 2.0, 40.0, None), wave / 2, atol=1e-4)
    assert np.allclose(images.filtered(wave, 2.0, None, 40.0), wave / 2, atol=1e-4)
    assert np.abs(images.filtered(wave, 2.0, 400.0, None)).max() < 1e-4
    with pytest.raises(InputError, match="no pixel size"):
        images.filtered(wave, 0.0, 40.0, None)


def test_contrast_is_in_deviations() -> None:
    image = np.array([[-3.0, 3.0]] * 4)
    assert images.shaded(image, 1.0).tolist() == [[0, 255]] * 4 and images.shaded(image, 2.0)[0].tolist() == [63, 191]
    assert images.shaded(np.ones((3, 3)), 3.0).tolist() == [[127] * 3] * 3


def test_a_sheet_places_images_in_rows() -> None:
    shown = images.sheet([np.full((4, 4), k) + np.eye(4) for k in range(3)], 2, 4)
    assert shown.shape == (8, 8) and shown[4:, 4:].max() == 0 and np.array_equal(shown[:4, :4], shown[4:, :4])


def test_particles_come_in_the_order_of_the_table(small) -> None:
    order = {"sort": "rlnAutopickFigureOfMerit", "down": True, "start": 4}
    one = pixels(small.get("/particles/picture", file="particles.star", count=1, across=1, side=16, **order))
    same = pixels(small.get("/particles/picture", file="images.mrcs", start=25, count=1, across=1, side=16))
    assert one.shape == (16, 16) and np.array_equal(one, same)


def test_a_table_cannot_lead_out_of_the_project(small) -> None:
    for count in (1, 2):
        answer = small.get("/particles/picture", file="outside.star", count=count)
        assert answer.status_code == 403, answer.text


def test_edited_picks_are_a_job_with_all_others_unchanged(small) -> None:
    root = small.project.root
    (root / "Import/job001").mkdir(parents=True)
    (root / "Import/job001/micrographs.star").write_text(
        "data_optics\n\nloop_\n_rlnOpticsGroupName\n_rlnOpticsGroup\n_rlnMicrographPixelSize\n_rlnVoltage\n_rlnSphericalAberration\n"
        "_rlnAmplitudeContrast\ng 1 1.5 300 2.7 0.1\n\ndata_micrographs\n\nloop_\n_rlnMicrographName\n_rlnOpticsGroup\nmic.mrc 1\nmic2.mrc 1\n")
    node = Node("Import/job001/micrographs.star", "MicrographGroupMetadata.star.relion")
    write_pipeline(root / PIPELINE, replace(read_pipeline(root / PIPELINE), nodes=(node,)))
    listed = small.get("/picks", file="particles.star").json()["micrographs"]
    assert [(one["name"], one["picks"]) for one in listed] == [("mic2.mrc", 15), ("mic.mrc", 15)]
    assert small.get("/picks/of", file="particles.star", micrograph="mic.mrc").json()["there"]
    (root / "mic.mrc").rename(root / "away.mrc")
    assert not small.get("/picks/of", file="particles.star", micrograph="mic.mrc").json()["there"]
    (root / "away.mrc").rename(root / "mic.mrc")
    answer = small.post("/picks/save", {"file": "particles.star", "edits": {"mic.mrc": [[1.5, 2.5, 0.9], [3, 4, 0.2]]}, "threshold": 0.1})
    assert answer.status_code == 200, answer.text
    job = small.project.job(answer.json()["job"])
    assert job.params["micrographs"] == "Import/job001/micrographs.star" and job.params["threshold"] == 0.1
    edited = read_coordinates(root / job.name / "edited.star", root)
    assert edited["mic.mrc"].xy.tolist() == [[1.5, 2.5], [3, 4]] and edited["mic.mrc"].fom.tolist() == [0.9, 0.2]
    assert np.array_equal(edited["mic2.mrc"].xy, np.array(small.get("/picks/of", file="particles.star", micrograph="mic2.mrc").json()["xy"]))
    params = PickManualParams(micrographs=root / "Import/job001/micrographs.star", from_=[root / job.name / "edited.star"])
    assert [sum(map(len, one)) for one in matched(params, root)[1]] == [2, 15]


@pytest.mark.parametrize("body", [
    {"edits": {"no.mrc": [[1, 2, 3]]}}, {"edits": {"mic.mrc": [[1, 2]]}}, {"edits": {"mic.mrc": [[1e9, 2, 3]]}}, {"edits": [1]}, {},
    {"edits": {"mic.mrc": [["a", 2, 3]]}}, {"edits": {}, "threshold": "x"},
])
def test_unsound_picks_make_no_job(small, body: dict) -> None:
    before = sorted(map(str, small.project.root.rglob("*")))
    assert 400 <= small.post("/picks/save", {"file": "particles.star"} | body).status_code < 500
    assert sorted(map(str, small.project.root.rglob("*"))) == before


@pytest.mark.parametrize("without", [["no.mrc"], ["mic.mrc", "mic2.mrc"], [], "mic.mrc", [1], None, ["../secret.mrcs"]])
def test_an_unsound_choice_of_micrographs_makes_no_job(small, without: object) -> None:
    before = sorted(map(str, small.project.root.rglob("*")))
    assert 400 <= small.post("/picks/subset", {"file": "particles.star", "without": without}).status_code < 500
    assert sorted(map(str, small.project.root.rglob("*"))) == before


def test_the_tutorial_in_every_viewer(bgal) -> None:
    found = bgal.get("/classes", file="Class2D/job010/run_it025_model.star").json()
    assert found["total"] == 50 and sum(one["members"] for one in found["classes"]) == 2374
    assert found["particles"] == "Class2D/job010/run_it025_data.star"
    assert pixels(bgal.get("/classes/picture", file="Class2D/job010/run_it025_classes.mrcs", across=10, side=64)).shape == (320, 640)
    assert bgal.get("/table", file="Extract/job009/particles.star").json()["blocks"][1]["rows"] == 2374
    last = pixels(bgal.get("/particles/picture", file="Extract/job009/particles.star", start=2370, count=100, across=10, side=64))
    assert last.shape == (64, 640) and last[:, :256].std() > 10 and not last[:, 256:].any()
    picks = bgal.get("/picks", file="AutoPick/job008/autopick.star").json()
    assert picks["diameter"] == 165.0 and len(picks["micrographs"]) == 10
    numbers = [len(bgal.get("/picks/of", file="AutoPick/job008/autopick.star", micrograph=one["name"]).json()["xy"]) for one in picks["micrographs"]]
    assert sum(numbers) == 2374
    spectrum = bgal.get("/micrograph", file="CtfFind/job005/micrographs_ctf.star", kind="ctf", row=23).json()
    assert len(spectrum["k"]) == len(spectrum["fit"]) > 100 and spectrum["resolution"] > 5
    motion = bgal.get("/micrograph", file="MotionCorr/job002/corrected_micrographs.star", kind="motion", row=3).json()
    assert len(motion["track"]) == 24 and len(motion["patches"]) == 25
    assert "<svg" in bgal.get("/plots", file="Class2D/job010/run_it025_model.star").text
    assert bgal.post("/classes/subset", {"file": found["particles"], "classes": [1]}).status_code == 422


def test_chosen_classes_are_kept_with_their_averages(tmp_path) -> None:
    from verglas.io.star import read_star
    from verglas.jobs.select import SelectParams
    from verglas.jobs.select_classes import write_averages
    from verglas.jobs.select_rules import select

    folder = shared_data("bgal-project") / "Class2D/job010"
    found = select(SelectParams(particles=str(folder / "run_it025_data.star"), model=folder / "run_it025_model.star", classes="26,47"))
    assert len(found.rows) == 379 + 172 and len(found.steps) == 1
    kept = found.source.source.integers("rlnClassNumber")[found.rows]
    assert write_averages(tmp_path / "class_averages.star", folder / "run_it025_model.star", kept) == 2
    names = next(iter(read_star(tmp_path / "class_averages.star").values()))["rlnReferenceImage"].tolist()
    assert [int(name.partition("@")[0]) for name in names] == [26, 47]
