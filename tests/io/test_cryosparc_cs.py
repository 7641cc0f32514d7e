"""cryoSPARC files: rotations as another program reads them, real files there and back, files that do not fit."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from verglas.core.rotations import euler_to_matrix
from verglas.errors import VerglasError
from verglas.io.cryosparc_cs import read_cs, write_cs
from verglas.io.particles_star import read_particles, write_particles
from verglas.testing.data import shared_data
from verglas.types import Defocus, ImageRefs, OpticsGroup, Particles, Poses

REAL = (
    "particles-small/cryodrgn-tests/cryosparc_J2_particles_exported.cs", "particles-small/cryodrgn-tests/cryosparc_P12_J24_001_particles.cs",
    "particles-small/cryodrgn-tests/empiar_10076_7.cs",
    pytest.param("cryosparc/t20s_J209/cryosparc_P9_J209_000_particles.cs", marks=pytest.mark.slow),
)


SAME = ("idx", "shape", "psize_A", "sign", "exp_group_id", "split", "class", "tilt_A", "anisomag", "df1_A", "df2_A", "df_angle_rad", "accel_kv",
        "cs_mm", "amp_contrast", "phase_shift_rad")


def made(n: int = 40) -> Particles:
    """Particles of two optics groups with every kind of value."""
    rng = np.random.default_rng(0)
    group = OpticsGroup("a", 1, 300.0, 2.7, 0.1, 1.3, 64, 1.3, beam_tilt_mrad=(0.4, -0.2), magnification=(1.01, 0.002, -0.001, 0.99))
    return Particles(
        (group, replace(group, group=5, beam_tilt_mrad=(0.0, 0.0))), ImageRefs(("x/a.mrcs", "x/b.mrcs"), np.arange(n) % 2, np.arange(n) // 2),
        np.arange(n) % 2, np.zeros(n, dtype=np.int64), ("g",),
        Defocus(*(rng.uniform(low, high, n) for low, high in ((5e3, 3e4), (5e3, 3e4), (-1, 1), (0, 2), (0, 99), (1, 2)))),
        Poses(rng.uniform(-3, 3, (n, 3)), rng.normal(0, 5, (n, 2))), rng.integers(1, 3, n), rng.integers(1, 5, n), np.ones(n), {})


def matrices(particles: Particles) -> np.ndarray:
    return euler_to_matrix(torch.from_numpy(particles.poses.angles)).numpy()


def test_everything_comes_back(tmp_path: Path) -> None:
    given = made()
    assert write_cs(tmp_path / "a.cs", given) == ()
    back = read_cs(tmp_path / "a.cs")
    found = back.particles
    assert not back.dark and back.remarks == () and found.images.stacks == given.images.stacks
    assert np.array_equal(found.images.index, given.images.index) and np.array_equal(found.images.stack, given.images.stack)
    assert np.array_equal(found.half, given.half) and np.array_equal(found.class_number, given.class_number)
    assert np.abs(matrices(found) - matrices(given)).max() < 1e-6 and np.abs(found.poses.origin - given.poses.origin).max() < 1e-5
    for name in Defocus.__dataclass_fields__:
        assert np.allclose(getattr(found.defocus, name), getattr(given.defocus, name), rtol=1e-6)
    assert [group.group for group in found.optics] == [1, 5] and np.array_equal(found.optics_index, given.optics_index)
    for one, other in zip(found.optics, given.optics):
        assert (one.voltage_kv, one.cs_mm, one.amplitude_contrast, one.pixel_size, one.box) == (300.0, 2.7, 0.1, 1.3, 64)
        assert np.allclose(one.beam_tilt_mrad, other.beam_tilt_mrad, rtol=1e-6) and np.allclose(one.magnification, other.magnification, atol=1e-7)


def test_poses_are_those_that_cryodrgn_reads() -> None:
    folder = shared_data("particles-small/cryodrgn-tests")
    with (folder / "pose.cs.pkl").open("rb") as file:
        rotations, shifts = pickle.load(file)
    found = read_cs(folder / "cryosparc_P12_J24_001_particles.cs").particles
    assert np.abs(matrices(found) - rotations).max() < 1e-6
    assert np.abs(found.poses.origin / 2.95 / 180 - shifts).max() < 1e-6
    assert sorted(set(found.half.tolist())) == [1, 2]


@pytest.mark.parametrize("name", REAL)
def test_real_files_survive_star_and_back(name: str, tmp_path: Path) -> None:
    path = shared_data(name)
    first = read_cs(path)
    write_particles(tmp_path / "a.star", first.particles)
    write_cs(tmp_path / "b.cs", read_particles(tmp_path / "a.star", tmp_path), first.dark)
    before, after = np.load(path), np.load(tmp_path / "b.cs")
    assert np.array_equal(before["uid"], after["uid"])
    for field in before.dtype.names:
        kind = field.rpartition("/")[2]
        if kind in SAME:
            assert np.allclose(before[field].astype(float), after[field].astype(float), rtol=1e-6), field
        if kind == "shift":
            assert np.abs(before[field] - after[field]).max() < 1e-4
        if kind == "pose":
            turn = (before[field], after[field]) if before[field].ndim == 2 else tuple(a[:, None] * (0, 0, 1) for a in (before[field], after[field]))
            assert (Rotation.from_rotvec(turn[0]) * Rotation.from_rotvec(turn[1]).inv()).magnitude().max() < 1e-5


def test_columns_of_a_passthrough_file_are_joined_by_uid(tmp_path: Path) -> None:
    write_cs(tmp_path / "a.cs", made())
    table = np.load(tmp_path / "a.cs")
    with (tmp_path / "part.cs").open("wb") as file:
        np.save(file, table[[name for name in table.dtype.names if not name.startswith("blob")]])
    with (tmp_path / "rest.cs").open("wb") as file:
        np.save(file, table[[name for name in table.dtype.names if name.startswith(("uid", "blob"))]][::-1])
    with pytest.raises(VerglasError, match="missing columns blob/path"):
        read_cs(tmp_path / "part.cs")
    found = read_cs(tmp_path / "part.cs", (tmp_path / "rest.cs",)).particles
    assert np.array_equal(found.images.index, made().images.index)
    (tmp_path / "no.cs").write_text("nothing")
    with pytest.raises(VerglasError, match="not a cryoSPARC file"):
        read_cs(tmp_path / "no.cs")
