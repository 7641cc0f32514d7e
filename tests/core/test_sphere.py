"""HEALPix NEST against astropy_healpix, and its laws."""

import numpy as np
import pytest
from astropy import units as u
from astropy_healpix import HEALPix

from verglas.core import sphere


def unit(phi: np.ndarray, theta: np.ndarray) -> np.ndarray:
    return np.stack((np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)), axis=-1)


@pytest.mark.parametrize("order", range(8))
def test_centres_are_astropys(order: int) -> None:
    pixels = np.arange(sphere.npix(order))
    lon, lat = HEALPix(nside=2**order, order="nested").healpix_to_lonlat(pixels)
    phi, theta = sphere.pix2ang_nest(order, pixels)
    assert np.abs(unit(phi, theta) - unit(lon.rad, np.pi / 2 - lat.rad)).max() < 1e-14
    assert ((phi >= 0) & (phi < 2 * np.pi)).all()


@pytest.mark.parametrize("order", [0, 1, 4, 9])
def test_pixel_of_a_direction_is_astropys(order: int) -> None:
    rng = np.random.default_rng(order)
    phi, theta = rng.uniform(-7, 7, 20000), np.arccos(rng.uniform(-1, 1, 20000))
    expected = HEALPix(nside=2**order, order="nested").lonlat_to_healpix(phi * u.rad, (np.pi / 2 - theta) * u.rad)
    np.testing.assert_array_equal(sphere.ang2pix_nest(order, phi, theta), expected)


@pytest.mark.parametrize("order", range(7))
def test_round_trip(order: int) -> None:
    pixels = np.arange(sphere.npix(order))
    np.testing.assert_array_equal(sphere.ang2pix_nest(order, *sphere.pix2ang_nest(order, pixels)), pixels)


def test_poles_belong_to_a_polar_pixel() -> None:
    for theta, cap in ((0.0, range(4)), (np.pi, range(8, 12))):
        assert sphere.ang2pix_nest(0, np.array([0.1, 2.0, 6.2]), np.full(3, theta)).tolist() == [cap[0], cap[1], cap[3]]


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_children_lie_in_their_parent(levels: int) -> None:
    pixels = np.arange(sphere.npix(3))
    fine = sphere.children(pixels, levels)
    assert fine.shape == (len(pixels), 4**levels)
    np.testing.assert_array_equal(np.sort(fine.ravel()), np.arange(sphere.npix(3 + levels)))
    parents = sphere.ang2pix_nest(3, *sphere.pix2ang_nest(3 + levels, fine))
    np.testing.assert_array_equal(parents, np.broadcast_to(pixels[:, None], fine.shape))


def test_pixels_have_equal_area() -> None:
    """Uniform directions fall into all pixels equally often, to within Poisson noise."""
    rng = np.random.default_rng(0)
    hits = np.bincount(sphere.ang2pix_nest(2, rng.uniform(0, 2 * np.pi, 192000), np.arccos(rng.uniform(-1, 1, 192000))))
    assert len(hits) == sphere.npix(2)
    chi2 = ((hits - 1000.0) ** 2 / 1000.0).sum()
    assert abs(chi2 - 191) < 6 * np.sqrt(2 * 191)
