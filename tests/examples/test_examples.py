"""The example scripts run on tiny data, and stay short."""

import runpy
from pathlib import Path

import numpy as np
import pytest

import verglas as vg

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(name: str, *arguments: object) -> None:
    namespace = runpy.run_path(str(EXAMPLES / name))
    namespace["main"](*map(str, arguments))


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_examples_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 60


def test_postprocess_half_maps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = vg.phantom(32, 4.0, mass=30)
    rng = np.random.default_rng(0)
    for half in (1, 2):
        noise = rng.normal(0, 0.3 * truth.data.std(), truth.data.shape).astype(np.float32)
        vg.write_map(tmp_path / f"half{half}.mrc", vg.Map(truth.data + noise, truth.pixel_size))
    run("postprocess_half_maps.py", tmp_path / "half1.mrc", tmp_path / "half2.mrc", tmp_path / "sharp.mrc")
    assert "resolution" in capsys.readouterr().out
    assert vg.read_map(tmp_path / "sharp.mrc").box == 32


def test_refine_step_by_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = vg.phantom(32, 6.0, symmetry="D2", mass=150)
    vg.simulate_particles(truth, 60, tmp_path, snr=2.0, seed=1)
    vg.write_map(tmp_path / "start.mrc", truth)
    run("refine_step_by_step.py", tmp_path / "particles.star", tmp_path / "start.mrc", "D2", 150, tmp_path / "out.mrc", 6)
    assert "iteration 1:" in capsys.readouterr().out
    assert vg.compare_maps(vg.read_map(tmp_path / "out.mrc"), truth).at_half < 20
    assert len(vg.read_particles(tmp_path / "out.star")) == 60


def test_simulate_and_reconstruct(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("simulate_and_reconstruct.py", tmp_path, 200, 40)
    assert "FSC with the truth" in capsys.readouterr().out
    truth = vg.phantom(40, 5.5, symmetry="D2", mass=200)
    assert vg.compare_maps(vg.read_map(tmp_path / "reconstruct.mrc"), truth).at_half < 15
