"""refine3d from its job folder: files under RELION's names, events, options, and the state on disk."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from verglas.errors import VerglasError
from verglas.io.model_star import read_model
from verglas.io.mrc import read_map
from verglas.io.optimiser_star import read_optimiser
from verglas.io.particles_star import read_particles, write_particles
from verglas.io.sampling_star import read_sampling
from verglas.jobs import refine3d_state as states
from verglas.jobs.common import continued, parse
from verglas.jobs.registry import find
from verglas.jobs.runner import Request, run_job
from verglas.methods.reconstruct.solve import map_fsc
from verglas.runtime.resources import Resources
from verglas.testing.particle_sets import ParticleSet, blobs, noise_only, write_set
from verglas.types import Map

ITERATIONS = 4
QUICK: dict[str, object] = {
    "symmetry": "D2", "mask_diameter": 140, "initial_lowpass": 40, "healpix_order": 1, "offset_range": 3, "max_iterations": ITERATIONS,
}


def refine(data: ParticleSet, output: Path, resources: Resources | None = None, **options: object) -> Path:
    job = find("refine3d")
    chosen = {"particles": data.star, "reference": data.map_file} | QUICK | options
    return run_job(job, parse(job.params, chosen), Request(resources or Resources(deterministic=True), output, data.folder, quiet=True))


def go_on(folder: Path, **options: object) -> Path:
    job = find("refine3d")
    chosen, kept = continued(job, folder)
    return run_job(job, parse(job.params, chosen | options), Request(Resources(**kept), folder, folder.parent, continuing=True, quiet=True))


def events(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ParticleSet:
    return write_set(tmp_path_factory.mktemp("set"), blobs(32, 5.0), 80)


@pytest.fixture(scope="module")
def done(data: ParticleSet) -> Iterator[Path]:
    yield refine(data, data.folder / "done")


def test_relions_files_of_every_iteration(done: Path) -> None:
    for number in range(ITERATIONS):
        root = f"run_it{number:03d}"
        names = ["data.star", "sampling.star", "optimiser.star", *(f"half{h}_{end}" for h in (1, 2) for end in ("model.star", "class001.mrc"))]
        assert [name for name in names if not (done / f"{root}_{name}").exists()] == []
        values = read_optimiser(done / f"{root}_optimiser.star").values
        assert values["rlnCurrentIteration"] == number
        for half in (1, 2):
            assert Path(str(values[f"rlnModelStarFile{'2' * (half == 2)}"])) == done / f"{root}_half{half}_model.star"
    final = ("run_data.star", "run_model.star", "run_optimiser.star", "run_sampling.star", "run_class001.mrc", "report.html",
             *(f"run_half{h}_{end}" for h in (1, 2) for end in ("model.star", "class001_unfil.mrc")))
    assert [name for name in final if not (done / name).exists()] == []
    assert not list(done.glob(".*part*"))
    assert [path.name for path in sorted(done.glob("*.npz"))] == [f"run_it{n:03d}_state.npz" for n in (ITERATIONS - 2, ITERATIONS - 1)]


def test_the_map_is_the_true_one(done: Path, data: ParticleSet) -> None:
    result = read_map(done / "run_class001.mrc")
    assert result.pixel_size == pytest.approx(5.0)
    assert map_fsc(result, data.volume)[:8].min() > 0.8
    halves = [read_map(done / f"run_half{half}_class001_unfil.mrc") for half in (1, 2)]
    assert 0.3 < map_fsc(*halves)[6] < 0.9999
    assert not np.allclose(halves[0].data, halves[1].data)


def test_tables_agree_with_each_other(done: Path, data: ParticleSet) -> None:
    model, sampling = read_model(done / "run_it002_half1_model.star"), read_sampling(done / "run_it002_sampling.star")
    particles = read_particles(done / "run_it002_data.star")
    assert len(model.pdf_orient[0]) == len(sampling.directions)
    assert model.pdf_orient[0].sum() == pytest.approx(1.0)
    assert model.general["rlnNrGroups"] == len(particles.group_names) == len(model.groups)
    members = np.asarray(model.groups["rlnGroupNrParticles"])
    assert members.sum() == (particles.half == 1).sum()
    assert (particles.half == data.truth.half).all()
    assert particles.extra["rlnMaxValueProbDistribution"].max() <= 1.0
    assert model.general["rlnAveragePmax"] == pytest.approx(particles.extra["rlnMaxValueProbDistribution"][particles.half == 1].mean(), rel=1e-4)
    shells = model.class_shells[0]
    assert len(shells) == 17 and shells["rlnGoldStandardFsc"][0] == 1.0
    assert model.general["rlnCurrentResolution"] == pytest.approx(160.0 / round(160.0 / float(str(model.general["rlnCurrentResolution"]))))
    assert read_map(done / "run_it002_half1_class001.mrc").box == 32


def test_origins_and_groups_survive(done: Path, data: ParticleSet) -> None:
    """Poses are near the truth, so the STAR conventions of angles and origins are RELION's."""
    import torch

    from verglas.core.rotations import angular_distance, euler_to_matrix
    from verglas.core.symmetry import operators

    found = read_particles(done / "run_data.star")
    a, b = (euler_to_matrix(torch.from_numpy(p.poses.angles)) for p in (data.truth, found))
    errors = torch.stack([angular_distance(a, b @ one) for one in operators("D2").to(b.dtype)]).min(0).values.numpy()
    assert np.median(np.degrees(errors)) < 13.0  # a grid of 15 degrees
    assert np.median(np.hypot(*(found.poses.origin - data.truth.poses.origin).T)) < 3.0
    assert (found.extra["rlnMicrographName"] == data.truth.extra["rlnMicrographName"]).all()


def test_every_iteration_has_an_event_and_a_line(done: Path) -> None:
    rows = [row for row in events(done) if row["event"] == "iteration"]
    assert [row["iteration"] for row in rows] == [1, 2, 3, 4]
    needed = {"resolution_A", "current_size", "coarse_size", "healpix_order", "angular_step_deg", "offset_range_A", "offset_step_A", "ave_pmax",
              "effective_poses", "significant", "change_angles_deg", "change_offsets_A", "particles", "seconds", "fsc"}
    assert all(needed <= set(row) for row in rows)
    assert "accuracy_rot_deg" not in rows[0] and 0.1 < float(str(rows[2]["accuracy_rot_deg"])) < 30
    log = (done / "run.out").read_text()
    assert "iteration 2:" in log and "last iteration" in log
    assert "before it had converged" in (done / "run.err").read_text()


def test_the_same_seed_and_threads_give_the_same_bits(done: Path, data: ParticleSet, tmp_path: Path) -> None:
    again = refine(data, tmp_path / "again")
    assert (again / "run_class001.mrc").read_bytes() == (done / "run_class001.mrc").read_bytes()
    other = refine(data, tmp_path / "other", Resources(seed=5, deterministic=True))
    assert (other / "run_class001.mrc").read_bytes() != (done / "run_class001.mrc").read_bytes()


def test_a_map_of_another_grid_is_resampled(data: ParticleSet, tmp_path: Path) -> None:
    from verglas.io.mrc import write_map

    write_map(tmp_path / "finer.mrc", blobs(40, 4.0))
    folder = refine(data, tmp_path / "out", reference=tmp_path / "finer.mrc", max_iterations=1)
    assert "resampled from 40 px of 4.0000 Å to 32 px of 5.0000 Å" in (folder / "run.out").read_text()
    assert read_map(folder / "run_class001.mrc").box == 32


def test_options_reach_the_method(data: ParticleSet, tmp_path: Path) -> None:
    from verglas.io.mrc import write_map

    mask = (data.volume.data > 0.05).astype(np.float32)
    write_map(tmp_path / "mask.mrc", replace(data.volume, data=mask))
    folder = refine(data, tmp_path / "out", mask=tmp_path / "mask.mrc", solvent_corrected_fsc=True, keep_offsets=True, norm_correction=False,
                    absolute_greyscale=True, low_resolution_join=0, max_iterations=2)
    assert read_particles(folder / "run_it001_data.star").norm.tolist() == [1.0] * 80
    assert not np.any(read_map(folder / "run_it001_half1_class001.mrc").data[mask == 0])
    values = read_optimiser(folder / "run_it001_optimiser.star").values
    assert values["rlnJoinHalvesUntilThisResolution"] == -1.0 and values["rlnDoSolventFscCorrection"] == 1


def test_continuing_after_a_stop_gives_the_same_bits(done: Path, data: ParticleSet, tmp_path: Path) -> None:
    """The last two iterations again from the state on disk, also when the newest iteration is not complete."""
    for left in (2, 3):
        folder = tmp_path / f"from{left}"
        folder.mkdir()
        wanted = [path for path in done.iterdir() if not path.name.startswith(("run_", "RELION")) or path.name[6:9] in ("000", "001", "002")]
        for path in wanted:
            (folder / path.name).write_bytes(path.read_bytes())
        if left == 3:
            (folder / "run_it003_state.npz").write_bytes((done / "run_it003_state.npz").read_bytes())
            (folder / ".run_it003_data.part-0123abcd.star").write_text("half a file")
        go_on(folder)
        for name in ("run_class001.mrc", "run_half1_class001_unfil.mrc", "run_data.star", "run_it003_half2_class001.mrc", "run_it003_sampling.star"):
            assert (folder / name).read_bytes() == (done / name).read_bytes(), name
        assert not list(folder.glob(".run*"))
        assert [row["iteration"] for row in events(folder) if row["event"] == "iteration"][-2:] == [3, 4]


def test_a_state_survives_the_disk_bit_for_bit(done: Path, tmp_path: Path) -> None:
    before = states.load(done, ITERATIONS - 1)
    states.save(tmp_path, before)
    first, second = states.flatten(before), states.flatten(states.load(tmp_path, ITERATIONS - 1))
    assert first.keys() == second.keys()
    assert all(a.dtype == second[name].dtype and a.tobytes() == second[name].tobytes() for name, a in first.items())
    assert {"state.models.0.map", "state.alignment.angles", "state.schedule.last.angles", "half", "memory.work"} <= set(first)


def test_a_broken_state_is_explained(done: Path, tmp_path: Path) -> None:
    raw = states.state_path(done, 3).read_bytes()
    states.state_path(tmp_path, 3).write_bytes(raw[: len(raw) // 2])
    with pytest.raises(VerglasError, match="remove the file"):
        states.load(tmp_path, 3)


def test_a_limited_run_can_be_extended_and_a_converged_one_not(done: Path, tmp_path: Path) -> None:
    folder = tmp_path / "extended"
    folder.mkdir()
    for path in done.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    with pytest.raises(VerglasError, match="--max-iterations 4"):
        go_on(folder)
    go_on(folder, max_iterations=6)
    assert [row["iteration"] for row in events(folder) if row["event"] == "iteration"] == [1, 2, 3, 4, 4, 5, 6]
    assert (folder / "run_it005_optimiser.star").exists()


@pytest.mark.parametrize(("change", "words"), [({"symmetry": "C2"}, "--symmetry C2"), ({"initial_lowpass": 30}, "--initial-lowpass 30")])
def test_what_defines_a_refinement_cannot_change_on_the_way(done: Path, change: dict[str, object], words: str) -> None:
    with pytest.raises(VerglasError, match=words):
        go_on(done, **change)


def test_other_particles_are_not_continued(done: Path, data: ParticleSet, tmp_path: Path) -> None:
    before = (done / "RELION_JOB_EXIT_SUCCESS").exists()
    whole = data.star.read_bytes()
    write_particles(data.star, read_particles(data.star).take(np.arange(60)))
    try:
        with pytest.raises(VerglasError, match="60 particles, but the refinement was begun with 80"):
            go_on(done, max_iterations=9)
    finally:
        data.star.write_bytes(whole)
    assert (done / "RELION_JOB_EXIT_SUCCESS").exists() == before


def test_pure_noise_gives_no_structure(tmp_path: Path) -> None:
    """200 images of nothing, five iterations: beyond the shells that the halves share, they do not correlate."""
    data = noise_only(tmp_path, 200, 32, 5.0)
    folder = refine(data, tmp_path / "out", symmetry="C1", max_iterations=5, healpix_order=1, low_resolution_join=40.0, skip_image_checks=True)
    joined = int(np.ceil(160 / 40.0))
    for row in (row for row in events(folder) if row["event"] == "iteration"):
        fsc = np.array(row["fsc"])
        assert np.abs(fsc[joined + 2 :]).mean() < 0.12, row["iteration"]
        assert fsc[joined + 2 :].max() < 0.35
    halves = [read_map(folder / f"run_half{half}_class001_unfil.mrc") for half in (1, 2)]
    assert np.abs(map_fsc(*halves)[joined + 2 :].mean()) < 0.1
    assert _resolution(folder) > 30.0


def _resolution(folder: Path) -> float:
    return float(str([row for row in events(folder) if row["event"] == "iteration"][-2]["resolution_A"]))


def test_the_forecast_says_what_was_chosen(data: ParticleSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = find("refine3d")
    params = parse(job.params, {"particles": data.star, "reference": data.map_file, "symmetry": "D2"})
    run_job(job, params, Request(output=tmp_path / "none", project=data.folder, dry_run=True))
    text = capsys.readouterr().out
    for words in ("80 in 1 optics", "half sets as in the file", "144 Å   (90 % of the box", "memory", "disk", "time per iteration"):
        assert words in text, text
    assert not (tmp_path / "none").exists()


def test_small_groups_are_warned_of(tmp_path: Path) -> None:
    from verglas.jobs.refine3d_remarks import duplicate_remarks, fsc_remarks, group_remarks

    data = write_set(tmp_path, blobs(16, 5.0), 12)
    assert "fewer than 10 particles" in group_remarks(data.truth)[0]
    assert duplicate_remarks(data.truth) == ()
    assert "more than once" in duplicate_remarks(data.truth.take(np.r_[np.arange(12), 0]))[0]
    assert "pixel size" in fsc_remarks(np.full(17, 0.9), 5.0)[0]
    assert fsc_remarks(np.r_[np.ones(8), np.zeros(9)], 5.0) == ()
    assert "comes back" in fsc_remarks(np.r_[np.ones(8), np.zeros(5), np.full(4, 0.6)], 5.0)[0]
    assert isinstance(data.volume, Map)
