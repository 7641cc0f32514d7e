"""Map operations: laws, and the numbers of maps we know."""

import mrcfile
import numpy as np
import pytest

from verglas.core.mask import soft_sphere
from verglas.errors import InputError
from verglas.methods import mapops
from verglas.testing.data import shared_data
from verglas.types import Map


def blobs(box: int, pixel: float) -> Map:
    """Gaussians at fixed places in Å about the centre: the same object on any grid."""
    c = (np.arange(box) - box // 2) * pixel
    data = np.zeros((box,) * 3)
    for (x, y, z), s in (((10, 4, -6), 6.0), ((-8, 0, 9), 7.0), ((0, -12, 0), 6.5)):
        gx, gy, gz = (np.exp(-((c - m) ** 2) / (2 * s * s)) for m in (x, y, z))
        data += gz[:, None, None] * gy[:, None] * gx
    return Map(data.astype(np.float32), pixel)


@pytest.mark.parametrize(("box", "pixel"), [(30, None), (None, 3.1), (44, 2.5), (24, 4.0), (40, None)])
def test_resize_is_the_same_object_on_the_new_grid(box: int | None, pixel: float | None) -> None:
    out = mapops.resize(blobs(36, 3.0), box, pixel)
    expected = blobs(out.box, out.pixel_size)
    assert np.abs(out.data - expected.data).max() < 2e-3
    assert out.box == (box or 34) and out.pixel_size == pytest.approx(pixel or 108 / out.box)


def test_resize_to_what_it_is_changes_nothing() -> None:
    source = blobs(20, 3.0)
    assert np.array_equal(mapops.resize(source, pixel=3.0).data, source.data)
    assert np.array_equal(mapops.resize(source, 20, 3.0).data, source.data)
    with pytest.raises(InputError):
        mapops.resize(source)


@pytest.mark.parametrize(("old", "new"), [(20, 28), (20, 27), (21, 30), (21, 35)])
def test_padding_and_cropping_back(old: int, new: int) -> None:
    source = Map(np.random.default_rng(0).normal(size=(old,) * 3).astype(np.float32), 1.5)
    padded = mapops.crop(source, new, fill=7.0)
    assert padded.data[0, 0, 0] == 7.0
    assert padded.data[new // 2, new // 2, new // 2] == source.data[old // 2, old // 2, old // 2]
    assert np.array_equal(mapops.crop(padded, old).data, source.data)


def test_origin_keeps_the_centre_in_space() -> None:
    source = Map(blobs(20, 3.0).data, 3.0, (5.0, 6.0, 7.0))
    for out in (mapops.crop(source, 28), mapops.resize(source, 30), mapops.resize(source, 16, 4.0)):
        centres = [np.array(m.origin) + m.box // 2 * m.pixel_size for m in (source, out)]
        np.testing.assert_allclose(centres[0], centres[1])
    assert mapops.crop(blobs(20, 3.0), 28).origin == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("box", [16, 17])
def test_mirror_twice_is_nothing_and_once_is_another_hand(box: int) -> None:
    source = blobs(box, 4.0)
    mirrored = mapops.flip_hand(source)
    assert np.array_equal(mapops.flip_hand(mirrored).data, source.data)
    c = box // 2
    assert mirrored.data[c + 2, 3, 5] == source.data[c - 2, 3, 5]
    assert mapops.compare_maps(source, mirrored).correlation < 0.95


def test_symmetrised_map_is_unchanged_by_its_group_and_by_doing_it_again() -> None:
    source = Map(blobs(24, 4.0).data * soft_sphere(24, 9, 2).numpy(), 4.0)
    once = mapops.symmetrise(source, "D2")
    assert np.abs(mapops.symmetrise(once, "D2").data - once.data).max() < 1e-5
    turned = np.roll(once.data[:, ::-1, ::-1], (1, 1), (1, 2))
    assert np.abs(turned - once.data).max() < 1e-5
    with pytest.raises(InputError):
        mapops.symmetrise(source, "X7")


def test_lowpass_removes_fine_detail_only() -> None:
    noise = Map(np.random.default_rng(0).normal(size=(32,) * 3).astype(np.float32), 2.0)
    curve = mapops.compare_maps(noise, mapops.lowpass_map(noise, 8.0)).fsc
    spectrum = np.abs(np.fft.rfftn(mapops.lowpass_map(noise, 8.0).data))[0, 0]
    assert curve[:7].min() > 0.999 and spectrum[10:].max() < 1e-3 * spectrum[:7].max()


def test_comparison() -> None:
    a = blobs(30, 3.0)
    same = mapops.compare_maps(a, Map(2 * a.data + 1, 3.0))
    assert same.correlation == pytest.approx(1.0) and same.at_half < 7.0
    assert same.resolution[1] == 90.0 and np.isinf(same.resolution[0])
    noise = Map(np.random.default_rng(1).normal(size=(30,) * 3).astype(np.float32), 3.0)
    assert mapops.compare_maps(a, noise).at_half > 20
    mask = Map(soft_sphere(30, 10, 3).numpy(), 3.0)
    noisy = Map(a.data + 0.1 * noise.data, 3.0)
    assert mapops.compare_maps(a, noisy, mask).at_half <= mapops.compare_maps(a, noisy).at_half
    with pytest.raises(InputError, match="second map"):
        mapops.compare_maps(a, blobs(28, 3.0))
    with pytest.raises(InputError, match="pixel size"):
        mapops.compare_maps(a, blobs(30, 3.2))


def test_info_of_a_ball() -> None:
    """A ball of radius R: gyration R sqrt(3/5), volume, centre and sign."""
    z, y, x = np.mgrid[:48, :48, :48] - 24
    inside = ((x - 3) ** 2 + (y + 2) ** 2 + z**2 < 12**2).astype(np.float32)
    info = mapops.map_info(Map(inside, 2.0))
    assert info.contrast == "bright" and info.not_finite == 0 and info.maximum == 1.0
    assert info.centre == pytest.approx((6.0, -4.0, 0.0), abs=0.3)
    assert info.radius_of_gyration == pytest.approx(24 * np.sqrt(3 / 5), rel=0.06)
    assert info.volume == pytest.approx(inside.sum() * 8, rel=0.25)
    assert info.standard_deviation == pytest.approx(inside.std(), rel=1e-6)


@pytest.mark.parametrize("name", ["maps/betaGal.mrc", "bgal-relion5-refine/run_class001.mrc", "sim-bgal64/bgal64.mrc"])
def test_sign_of_real_maps(name: str) -> None:
    source = Map(mrcfile.read(shared_data(name)).astype(np.float32), 3.54)
    assert mapops.map_info(source).contrast == "bright"
    dark = mapops.map_info(Map(-source.data, 3.54))
    assert dark.contrast == "dark"
    assert dark.radius_of_gyration == pytest.approx(mapops.map_info(source).radius_of_gyration, rel=1e-3)
    assert 45 < (dark.radius_of_gyration or 0) < 65


def test_sign_of_noise_and_of_broken_maps() -> None:
    noise = np.random.default_rng(0).normal(size=(32,) * 3).astype(np.float32)
    assert mapops.map_info(Map(noise, 2.0)).contrast == "unclear"
    noise[0, 0, 0] = np.nan
    broken = mapops.map_info(Map(noise, 2.0))
    assert broken.not_finite == 1 and np.isfinite(broken.mean) and broken.centre is None
    assert mapops.map_info(Map(np.zeros((8,) * 3, np.float32), 2.0)).volume is None
