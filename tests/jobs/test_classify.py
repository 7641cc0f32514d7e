"""class2d, class3d and initialmodel from their job folders: files under RELION's names, events, resume, wrong input."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from verglas.cli.demo import pose_errors
from verglas.errors import VerglasError
from verglas.io.model_star import read_model
from verglas.io.mrc import MrcStack, read_map, write_map
from verglas.io.optimiser_star import read_optimiser
from verglas.io.particles_star import read_particles
from verglas.jobs.common import continued, parse
from verglas.jobs.registry import find
from verglas.jobs.runner import Request, run_job
from verglas.runtime.resources import Resources
from verglas.testing.particle_sets import ParticleSet, blobs, write_set

QUICK: dict[str, dict[str, object]] = {
    "class2d": {"classes": 3, "iterations": 12, "mask_diameter": 140, "offset_range": 2, "psi_step": 12},
    "class3d": {"classes": 2, "iterations": 2, "symmetry": "D2", "mask_diameter": 140, "initial_lowpass": 40, "healpix_order": 1, "offset_range": 2},
    "initialmodel": {"symmetry": "D2", "mini_batches": 10, "mask_diameter": 140, "offset_range": 2},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ParticleSet:
    return write_set(tmp_path_factory.mktemp("set"), blobs(32, 5.0), 60)


def run(name: str, data: ParticleSet, output: Path, **options: object) -> Path:
    job = find(name)
    chosen: dict[str, object] = {"particles": data.star} | QUICK[name] | options
    if name == "class3d":
        chosen.setdefault("reference", data.map_file)
    return run_job(job, parse(job.params, chosen), Request(Resources(deterministic=True), output, data.folder, quiet=True))


def events(folder: Path) -> list[dict[str, object]]:
    rows = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    return [row for row in rows if row["event"] == "iteration"]


def test_class2d_leaves_relions_files(data: ParticleSet) -> None:
    folder = run("class2d", data, data.folder / "two")
    for root in ("run_it010", "run_it012"):
        assert {path.name for path in folder.glob(f"{root}_*") if "state" not in path.name} == {
            f"{root}_{kind}" for kind in ("classes.mrcs", "data.star", "model.star", "optimiser.star", "sampling.star")}
    model = read_model(folder / "run_it012_model.star")
    assert model.general["rlnReferenceDimensionality"] == 2 and len(model.classes) == 3
    assert abs(model.classes["rlnClassDistribution"].sum() - 1) < 1e-6
    assert MrcStack(folder / "run_it012_classes.mrcs").shape == (3, 32, 32)
    table = read_particles(folder / "run_it012_data.star")
    assert set(table.class_number) <= {1, 2, 3} and len(table) == 60
    assert read_optimiser(folder / "run_it012_optimiser.star").values["rlnCurrentIteration"] == 12
    rows = events(folder)
    assert [row["iteration"] for row in rows] == list(range(1, 13)) and len(rows[0]["class_sizes"]) == 3  # type: ignore[arg-type]
    assert "class_flow" not in rows[0] and np.sum(rows[-1]["class_flow"]) == 60 and rows[-1]["change_classes"] < 1  # type: ignore[call-overload,operator]
    assert "Flow between the classes" in (folder / "report.html").read_text()
    assert "class" in (folder / "report.html").read_text()


def test_an_interrupted_class2d_goes_on_to_the_same_bits(data: ParticleSet) -> None:
    whole, part = run("class2d", data, data.folder / "whole"), run("class2d", data, data.folder / "part", iterations=12)
    for path in part.glob("run_it012*"):
        path.unlink()
    (part / "RELION_JOB_EXIT_SUCCESS").unlink()
    job = find("class2d")
    chosen, kept = continued(job, part)
    run_job(job, parse(job.params, chosen), Request(Resources(**kept), part, part.parent, continuing=True, quiet=True))
    a, b = (MrcStack(folder / "run_it012_classes.mrcs").read(np.arange(3)) for folder in (whole, part))
    assert np.array_equal(a, b)


def test_class3d_leaves_a_map_for_every_class(data: ParticleSet) -> None:
    folder = run("class3d", data, data.folder / "three")
    model = read_model(folder / "run_it002_model.star")
    assert len(model.classes) == 2 and model.general["rlnReferenceDimensionality"] == 3
    maps = [read_map(folder / f"run_it002_class{k:03d}.mrc").data for k in (1, 2)]
    assert all(m.shape == (32, 32, 32) and np.isfinite(m).all() for m in maps) and np.abs(maps[0] - maps[1]).max() > 0


def test_class3d_from_a_map_for_each_class_by_local_search_with_relaxed_symmetry(data: ParticleSet) -> None:
    other = data.folder / "other.mrc"
    write_map(other, replace(data.volume, data=np.ascontiguousarray(data.volume.data[::-1])))
    folder = run("class3d", data, data.folder / "relaxed", particles=data.truth_star, reference=[data.map_file, other], symmetry="C1",
                 local_search=3.0, healpix_order=2, relax_symmetry="D2", absolute_greyscale=True, iterations=1)
    found = read_particles(folder / "run_it001_data.star")
    assert (found.class_number == 1).mean() > 0.9
    away = pose_errors(data.truth.poses.angles, found.poses.angles, "C1")
    assert (away > 1.5).mean() > 0.3 and (pose_errors(data.truth.poses.angles, found.poses.angles, "D2") < 0.4).mean() > 0.9
    assert len(json.loads((folder / "job.json").read_text())["params"]["reference"]) == 2


def test_class2d_without_alignment_keeps_the_poses(data: ParticleSet) -> None:
    folder = run("class2d", data, data.folder / "kept", particles=data.truth_star, alignment=False, algorithm="em", iterations=3)
    found = read_particles(folder / "run_it003_data.star")
    assert np.allclose(found.poses.angles, data.truth.poses.angles, atol=1e-6) and np.allclose(found.poses.origin, data.truth.poses.origin, atol=1e-5)
    assert len(set(found.class_number)) > 1
    assert read_optimiser(folder / "run_it003_optimiser.star").values["rlnDoSkipAlign"] == 1
    folder = run("class2d", data, data.folder / "unposed", alignment=False, algorithm="em", iterations=1)
    assert "all angles are 0" in (folder / "run.err").read_text()


def test_initialmodel_ends_in_a_map_with_the_symmetry(data: ParticleSet) -> None:
    folder = run("initialmodel", data, data.folder / "first", run_in_c1_first=False)
    volume = read_map(folder / "initial_model.mrc").data
    turned = np.roll(volume[:, ::-1, ::-1], (1, 1), axis=(1, 2))  # two-fold about z
    assert volume.std() > 0 and np.corrcoef(volume[1:-1, 1:-1, 1:-1].ravel(), turned[1:-1, 1:-1, 1:-1].ravel())[0, 1] > 0.99


def test_cubic_groups_are_imposed_unless_asked_otherwise() -> None:
    from verglas.jobs.initialmodel import InitialModelParams

    taken = {name: InitialModelParams(particles=Path("p.star"), symmetry=name).run_in_c1_first for name in ("C1", "D2", "T", "O", "i1")}
    assert taken == {"C1": True, "D2": True, "T": False, "O": False, "i1": False}
    assert InitialModelParams(particles=Path("p.star"), symmetry="O", run_in_c1_first=True).run_in_c1_first


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("class2d", {"classes": 40}, "60 particles for 40 classes"),
        ("class2d", {"mask_diameter": 500}, "mask diameter 500"),
        ("class3d", {"symmetry": "X9"}, "symmetry 'X9'"),
        ("class3d", {"reference": "nowhere.mrc"}, "nowhere.mrc"),
        ("class3d", {"reference": ["a.mrc", "b.mrc", "c.mrc"]}, "3 maps for --classes 2"),
        ("class3d", {"relax_symmetry": "D2", "symmetry": "C1"}, "--local-search"),
        ("initialmodel", {"offset_range": 90}, "translational search"),
    ],
)
def test_wrong_input_is_refused_at_the_door(data: ParticleSet, tmp_path: Path, name: str, options: dict[str, object], said: str) -> None:
    with pytest.raises(VerglasError, match=said):
        run(name, data, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()
