"""Solvent masks: RELION's program voxel by voxel, and an automatic threshold that finds the particle."""

import subprocess
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import torch

from verglas.core.filters import lowpass
from verglas.errors import InputError
from verglas.methods.masking import auto_threshold, make_mask
from verglas.methods.masking.threshold import between_class_threshold, main_parts
from verglas.testing.data import relion_program, shared_data
from verglas.types import Map

BGAL_KILODALTON = 465


def ball_map(box: int = 40, pixel: float = 3.0, radius: float = 10.0, sigma: float = 0.0, offset: float = 0.0) -> Map:
    """A ball of density 1 (radius in px) with white noise; pure scale and offset must not matter for the mask."""
    z, y, x = np.mgrid[:box, :box, :box] - box // 2
    data = (z**2 + y**2 + (x - 2) ** 2 < radius**2) + sigma * np.random.default_rng(1).normal(size=(box,) * 3) + offset
    return Map(data.astype(np.float32), pixel)


def real(name: str) -> Map:
    return Map(mrcfile.read(shared_data(name)).astype(np.float32), 3.54)


@pytest.mark.parametrize("sigma", [0.0, 0.5, 1.0])
def test_automatic_threshold_finds_a_ball(sigma: float) -> None:
    source = ball_map(sigma=sigma)
    result = make_mask(source)
    expected = ball_map().data.sum() * 27.0
    assert 0.8 * expected < result.volume < 1.8 * expected
    assert result.parts == 1 and not result.warnings
    assert (result.mask.data[ball_map().data > 0] > 0.99).mean() > 0.99
    assert result.mask.data.max() == 1.0 and result.mask.data.min() == 0.0


def test_mask_does_not_depend_on_scale_and_offset() -> None:
    plain, moved = make_mask(ball_map(sigma=0.3)), make_mask(Map(ball_map(sigma=0.3).data * 7 - 3, 3.0))
    assert np.abs(plain.mask.data - moved.mask.data).max() < 1e-3
    assert moved.threshold == pytest.approx(plain.threshold * 7 - 3, abs=0.05)


def test_specks_are_left_out_automatically_but_not_by_hand() -> None:
    source = ball_map()
    source.data[2:5, 2:5, 2:5] = 8.0
    auto = make_mask(source, 0.0, "auto", 0, 0)
    manual = make_mask(source, 0.0, auto.threshold, 0, 0)
    assert auto.mask.data[3, 3, 3] == 0.0 and manual.mask.data[3, 3, 3] == 1.0
    assert (auto.parts, manual.parts) == (1, 2)


def test_noise_is_doubted() -> None:
    noise = Map(np.random.default_rng(2).normal(size=(48,) * 3).astype(np.float32), 3.0)
    assert any("noise" in w for w in make_mask(noise).warnings)


def test_numbers() -> None:
    result = make_mask(ball_map(), 0.0, 0.5, 2.0, 4.0)
    assert result.volume == ball_map().data.sum() * 27
    assert result.kilodalton == pytest.approx(result.volume / 1210)
    assert result.radius == pytest.approx((12 + 2 + 4) * 3, abs=7)
    assert result.box_fraction == pytest.approx(result.mask.data.mean(), rel=1e-5)


def test_a_threshold_above_everything_is_explained() -> None:
    with pytest.raises(InputError, match="above the whole map"):
        make_mask(ball_map(), 15.0, 3.0)


def test_a_mask_cut_by_the_box_is_reported() -> None:
    assert any("faces" in w for w in make_mask(ball_map(radius=17), 0.0, 0.5, 3, 3).warnings)


def test_between_class_threshold_separates_two_heaps() -> None:
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(0, 1, 20000), rng.normal(10, 1, 2000)])
    assert 2.5 < between_class_threshold(values) < 8
    assert between_class_threshold(np.full(10, 2.0)) == 2.0


def test_main_parts() -> None:
    binary = np.zeros((12, 12, 12), dtype=bool)
    binary[1:5, 1:5, 1:5] = binary[7:9, 7:9, 7:9] = binary[11, 11, 11] = True
    kept, share = main_parts(binary)
    assert kept.sum() == 64 + 8 and share == pytest.approx(64 / 73)
    assert main_parts(np.zeros_like(binary))[1] == 0.0


@pytest.mark.parametrize(
    "name",
    [
        "bgal-relion5-refine/run_class001.mrc", "bgal-relion5-refine/run_half1_class001_unfil.mrc",
        "bgal-relion5-refine/postprocess.mrc", "bgal-relion5-refine/reconstruct_half1.mrc", "maps/betaGal.mrc",
        "sim-bgal64/bgal64.mrc", "sim-bgal64/relion5/run_class001.mrc",
    ],
)
def test_automatic_mask_of_beta_galactosidase(name: str) -> None:
    """465 kDa: the envelope at 15 Å encloses somewhat more than the protein itself, in one piece of about 180 Å."""
    source = real(name)
    result = make_mask(source)
    assert 1.0 < result.kilodalton / BGAL_KILODALTON < 1.7
    assert result.parts == 1 and not result.warnings
    assert 100 < result.radius < 130
    low = lowpass(torch.from_numpy(source.data), 3.54, 15.0).numpy()
    strong = low > 0.5 * low.max()
    assert result.mask.data[strong].min() == 1.0


def test_automatic_mask_is_close_to_the_one_made_by_hand() -> None:
    ours = make_mask(real("bgal-relion5-refine/run_class001.mrc")).mask.data
    theirs = real("bgal-relion5-refine/mask.mrc").data
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.97


def test_background_of_a_real_map() -> None:
    source = real("bgal-relion5-refine/run_half1_class001_unfil.mrc")
    found = auto_threshold(lowpass(torch.from_numpy(source.data), 3.54, 15.0).numpy())
    assert found.background < found.value < found.otsu
    assert 0.003 < found.noise < 0.012


@pytest.mark.parametrize(
    ("low", "threshold", "extend", "edge"), [(15.0, 0.02, 3.0, 6.0), (0.0, 0.05, -2.0, 3.0), (20.0, 0.03, 2.5, 0.0)]
)
def test_the_same_mask_as_relion(tmp_path: Path, low: float, threshold: float, extend: float, edge: float) -> None:
    name = "bgal-relion5-refine/run_class001.mrc"
    command = [
        relion_program("relion_mask_create"), "--i", str(shared_data(name)), "--o", "m.mrc", "--angpix", "3.54",
        "--ini_threshold", str(threshold), "--extend_inimask", str(extend), "--width_soft_edge", str(edge),
        *(["--lowpass", str(low)] if low else []),
    ]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    ours = make_mask(real(name), low, threshold, extend, edge).mask.data
    assert np.abs(ours - mrcfile.read(tmp_path / "m.mrc")).max() < 1e-5
