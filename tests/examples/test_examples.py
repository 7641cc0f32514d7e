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
