"""class3d-fixed from its job folder: files, events, warnings, stopping, continuing, and what its door refuses."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from verglas.errors import InputError
from verglas.io.model_star import read_model
from verglas.io.mrc import read_map, write_map
from verglas.io.particles_star import read_particles, write_particles
from verglas.io.star import Table, write_star
from verglas.io.star_rows import text_column
from verglas.jobs.common import continued, parse
from verglas.jobs.context import ABORT_REQUEST
from verglas.jobs.registry import find
from verglas.jobs.runner import Request, run_job
from verglas.runtime.resources import Resources
from verglas.testing.mixtures import agreement, two_states, write_mixture
from verglas.types import Map

NUMBER = 240
QUICK: dict[str, object] = {
    "classes": 2, "target_resolution": 16.0, "initial_lowpass": 25.0, "mask_diameter": 144.0, "start_reconstructions": 8, "start_particles": 100,
    "start_components": 1, "batch": 60, "epochs": 0.5,
}
ONE = Resources(threads=1, deterministic=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mixture")
    truth = write_mixture(folder, two_states(), NUMBER)
    np.save(folder / "truth.npy", truth.class_number - 1)
    return folder


def classify(folder: Path, name: str, **options: object) -> Path:
    job = find("class3d-fixed")
    params = parse(job.params, {"particles": folder / "particles.star"} | QUICK | options)
    return run_job(job, params, Request(ONE, folder / name, folder, quiet=True))


@pytest.fixture(scope="module")
def done(folder: Path) -> Path:
    return classify(folder, "done")


def events(out: Path, name: str) -> list[dict[str, object]]:
    return [row for row in map(json.loads, (out / "events.jsonl").read_text().splitlines()) if row["event"] == name]


def test_files_of_every_full_iteration_and_of_the_end(done: Path) -> None:
    count = len(events(done, "iteration"))
    assert count >= 2
    for root in (*(f"run_it{n:03d}" for n in range(1, count + 1)), "run"):
        assert [end for end in ("data.star", "model.star", "class001.mrc", "class002.mrc") if not (done / f"{root}_{end}").exists()] == []
    assert (done / "report.html").exists() and (done / "RELION_JOB_EXIT_SUCCESS").exists()
    assert (done / "run.err").read_text() == ""


def test_classes_and_maps_are_the_true_ones(folder: Path, done: Path) -> None:
    truth = np.load(folder / "truth.npy")
    particles = read_particles(done / "run_data.star")
    found = particles.class_number - 1
    assert agreement(found, truth) > 0.85
    model = read_model(done / "run_model.star")
    sizes = np.asarray(model.classes["rlnClassDistribution"])
    assert sizes.sum() == pytest.approx(1.0) and np.allclose(sizes, np.bincount(found) / NUMBER, atol=0.05)
    larger = int(np.bincount(found[truth == 1]).argmax())  # the class of the state with the domain
    maps = [read_map(done / f"run_class{k:03d}.mrc") for k in (1, 2)]
    assert maps[0].box == 32 and maps[0].pixel_size == pytest.approx(5.0)
    one, two = two_states()
    domain = (two.data - one.data).ravel()
    assert np.corrcoef((maps[larger].data - maps[1 - larger].data).ravel(), domain)[0, 1] > 0.8
    assert particles.poses.angles.any() and particles.defocus.scale.std() < 0.2


def test_grey_scale_is_that_of_a_reconstruction(folder: Path, done: Path) -> None:
    from verglas.core.filters import lowpass
    from verglas.methods.reconstruct import Grid, solve, sums_of_halves

    particles = read_particles(folder / "particles.star")
    import torch

    from verglas.io.image_source import ImageSource

    rows = np.arange(NUMBER)
    halves = sums_of_halves(particles, [(rows, ImageSource(particles, folder).read(rows))], Grid(32, 5.0, 10))
    plain = lowpass(torch.from_numpy(solve(halves, Grid(32, 5.0, 10), "C1", False).average.data), 5.0, 25.0).numpy()
    ours = lowpass(torch.from_numpy(np.mean([read_map(done / f"run_class{k:03d}.mrc").data for k in (1, 2)], 0)), 5.0, 25.0).numpy()
    inside = plain > 0.5 * plain.max()
    assert ours[inside].mean() / plain[inside].mean() == pytest.approx(1.0, abs=0.1)


def test_everything_is_told(done: Path) -> None:
    rows = events(done, "iteration")
    needed = {"iteration", "class_sizes", "class_resolution_A", "ess", "rms_density_change", "ave_pmax", "gain", "scales"}
    assert all(needed <= set(row) for row in rows)
    assert {"kl", "change_classes", "class_flow"} <= set(rows[1]) and np.sum(rows[1]["class_flow"]) == NUMBER  # type: ignore[call-overload]
    assert events(done, "batch") and events(done, "result")
    page = (done / "report.html").read_text()
    assert "fast iterations on batches" in page and "Scales of single particles" in page and "Angular distribution of the classes" in page
    assert all({"accuracy_rot_deg", "accuracy_trans_A"} <= set(row) for row in rows)
    assert "RMS density change" in (done / "run.out").read_text() and "e-0" in (done / "run.out").read_text()


def test_a_request_to_stop_leaves_a_finished_job_that_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from verglas.jobs import class3d_fixed_run

    keep = class3d_fixed_run.keep

    def keep_and_ask(out: class3d_fixed_run.Output, *rest: object) -> None:
        keep(out, *rest)  # type: ignore[arg-type]
        (out.folder / ABORT_REQUEST).touch()

    monkeypatch.setattr(class3d_fixed_run, "keep", keep_and_ask)
    out = classify(folder, "stopped", stop_switches=0.0, max_iterations=2)
    assert "stopped on request after iteration 1" in (out / "run.err").read_text()
    assert (out / "RELION_JOB_EXIT_SUCCESS").exists() and len(read_particles(out / "run_data.star")) == NUMBER
    monkeypatch.undo()
    job = find("class3d-fixed")
    chosen, kept = continued(job, out)
    run_job(job, parse(job.params, chosen), Request(Resources(**kept), out, folder, continuing=True, quiet=True))
    assert [row["iteration"] for row in events(out, "iteration")] == [1, 2]
    with pytest.raises(InputError, match="iteration 2 is done"):
        run_job(job, parse(job.params, chosen), Request(Resources(**kept), out, folder, continuing=True, quiet=True))
    with pytest.raises(InputError, match="begun with 2"):
        run_job(job, parse(job.params, chosen | {"classes": 3}), Request(Resources(**kept), out, folder, continuing=True, quiet=True))


def test_given_maps_and_masks(folder: Path, tmp_path: Path) -> None:
    states = two_states()
    names = [f"state{k}.mrc" for k in (1, 2)]
    for name, state in zip(names, states):
        write_map(tmp_path / name, state)
    write_star(tmp_path / "maps.star", {"models": Table({"rlnReferenceImage": text_column(names)})})
    box = np.arange(32) - 16
    focus = np.broadcast_to((box > 0).astype(np.float32), (32, 32, 32))
    write_map(tmp_path / "focus.mrc", Map(np.ascontiguousarray(focus), 5.0))
    out = classify(folder, "given", initial_maps=tmp_path / "maps.star", focus_mask=tmp_path / "focus.mrc", epochs=0, hard=True, max_iterations=1)
    assert agreement(read_particles(out / "run_data.star").class_number - 1, np.load(folder / "truth.npy")) > 0.8
    one, two = (read_map(out / f"run_class{k:03d}.mrc").data for k in (1, 2))
    assert np.abs(one - two)[:, :, :12].max() < 0.1 * np.abs(one - two).max()
    with pytest.raises(InputError, match="2 maps for --classes 3"):
        classify(folder, "wrong", initial_maps=tmp_path / "maps.star", classes=3)


def test_the_automatic_mask_is_kept(folder: Path) -> None:
    out = classify(folder, "auto", mask="auto")
    mask = read_map(out / "mask.mrc").data
    assert 0.02 < mask.mean() < 0.6 and mask.min() >= 0 and mask.max() <= 1
    assert agreement(read_particles(out / "run_data.star").class_number - 1, np.load(folder / "truth.npy")) > 0.8
    assert np.abs(read_map(out / "run_class001.mrc").data[mask == 0]).max() < 0.06 * read_map(out / "run_class001.mrc").data.max()


def test_scales_that_say_nothing_are_warned_of(folder: Path, tmp_path: Path) -> None:
    for scale in ("none", "input"):
        out = classify(folder, f"scale-{scale}", scale=scale, max_iterations=1, epochs=0)
        assert "all scales of the particles are 1" in (out / "run.err").read_text()
    particles = read_particles(folder / "particles.star")
    wrong = replace(particles, defocus=replace(particles.defocus, scale=np.where(np.arange(NUMBER) == 4, 0.0, 1.0)))
    write_particles(folder / "wrong.star", wrong)
    with pytest.raises(InputError, match="row 5"):
        classify(folder, "wrong", particles=folder / "wrong.star", scale="input")


@pytest.mark.parametrize(("options", "text"), [
    ({"target_resolution": 6.0}, "beyond Nyquist"), ({"mask_diameter": 500.0}, "box of optics group"), ({"classes": 40}, "particles for 40 classes"),
    ({"class_similarity": 1.0}, "--class-similarity"), ({"symmetry": "C0"}, "symmetry"),
])
def test_the_door(folder: Path, options: dict[str, object], text: str) -> None:
    with pytest.raises(InputError, match=text):
        classify(folder, "door", **options)
    assert not (folder / "door").exists()
