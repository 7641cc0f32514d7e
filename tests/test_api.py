"""`import verglas as vg`: light at import, typed verbs on values."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import verglas as vg
from verglas.errors import InputError


def test_import_is_light() -> None:
    script = "import sys, verglas; print([m for m in ('torch', 'numba', 'numpy', 'pydantic') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout.strip() == "[]"


def test_every_public_name_is_there_and_documented() -> None:
    names = [name for name in dir(vg) if not name.startswith("_")]
    assert {"read_map", "read_particles", "make_mask", "postprocess", "simulate_particles"} <= set(names)
    assert all(getattr(vg, name).__doc__ for name in names)
    with pytest.raises(AttributeError, match="refine4d"):
        _ = vg.refine4d


def test_maps_and_particles_go_round(tmp_path: Path) -> None:
    volume = vg.phantom(32, 4.0, mass=30)
    vg.write_map(tmp_path / "map.mrc", volume)
    again = vg.read_map(tmp_path / "map.mrc")
    assert np.array_equal(again.data, volume.data) and again.pixel_size == pytest.approx(4.0)
    truth = vg.simulate_particles(volume, 20, tmp_path / "set", snr=0.5, seed=3)
    read = vg.read_particles(tmp_path / "set" / "truth.star")
    assert np.allclose(read.poses.angles, truth.poses.angles)
    vg.write_particles(tmp_path / "copy.star", read)
    assert np.allclose(vg.read_particles(tmp_path / "copy.star").defocus.u, truth.defocus.u)


def test_options_of_refine3d_are_those_of_the_command() -> None:
    from verglas.api.refinement import RefineOptions
    from verglas.jobs.refine3d import Refine3dParams

    assert set(RefineOptions.__annotations__) == set(Refine3dParams.model_fields) - {"particles", "reference"}


def test_wrong_options_are_explained(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--mask-diameter -3: must be > 0"):
        vg.refine3d("p.star", "r.mrc", mask_diameter=-3)
    with pytest.raises(InputError, match="symetry"):
        vg.refine3d("p.star", "r.mrc", symetry="D2")  # type: ignore[call-arg]


def test_compare_and_mask() -> None:
    volume = vg.phantom(32, 4.0, mass=30)
    assert vg.compare_maps(volume, volume).at_half == pytest.approx(8.0)
    assert 0 < vg.make_mask(volume).box_fraction < 1
