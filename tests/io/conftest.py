"""A small particle project in a temporary folder."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from verglas.io.mrc import StackWriter

OPTICS = """data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnVoltage #3
_rlnSphericalAberration #4
_rlnAmplitudeContrast #5
_rlnImagePixelSize #6
_rlnImageSize #7
og1 1 300.0 2.7 0.1 2.0 8
og7 7 200.0 1.4 0.1 2.0 8

"""
PARTICLES = """data_particles

loop_
_rlnImageName #1
_rlnMicrographName #2
_rlnOpticsGroup #3
_rlnDefocusU #4
_rlnDefocusV #5
_rlnDefocusAngle #6
_rlnAngleRot #7
_rlnOriginXAngst #8
000001@Extract/a.mrcs m1.mrc 1 10000.0 11000.0 30.0 90.0 2.5
000003@Extract/a.mrcs m1.mrc 1 10000.0 11000.0 30.0 180.0 -1.5
000001@Extract/b.mrcs m2.mrc 7 12000.0 12000.0 0.0 0.0 0.0
"""


@pytest.fixture
def images() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {"Extract/a.mrcs": rng.normal(size=(4, 8, 8)).astype(np.float32), "Extract/b.mrcs": rng.normal(size=(2, 8, 8)).astype(np.float32)}


@pytest.fixture
def project(tmp_path: Path, images: dict[str, np.ndarray]) -> Path:
    """particles.star in job1/, two stacks in Extract/."""
    (tmp_path / "Extract").mkdir()
    (tmp_path / "job1").mkdir()
    for name, stack in images.items():
        with StackWriter(tmp_path / name, 2.0) as writer:
            writer.append(stack)
    (tmp_path / "job1" / "particles.star").write_text(OPTICS + PARTICLES)
    return tmp_path


@pytest.fixture
def changed(project: Path) -> Callable[[str, str], Path]:
    """The path of the particle file with one text replaced."""

    def change(old: str, new: str) -> Path:
        path = project / "job1" / "particles.star"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        return path

    return change
