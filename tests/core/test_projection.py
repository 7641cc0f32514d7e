"""Projection and reconstruction: analytic blobs, adjoints, and images made by RELION's own projector."""

import numpy as np
import pytest
import torch

from verglas.core import ctf, fourier, projection, reconstruct, shifts
from verglas.core.band import make_band
from verglas.core.rotations import euler_to_matrix, random_rotations
from verglas.core.symmetry import operators
from verglas.testing.data import shared_data
from verglas.types import Defocus, OpticsGroup


def _blob(box: int, centre: torch.Tensor, sd: float) -> torch.Tensor:
    g = torch.arange(box, dtype=torch.float64) - box // 2
    z, y, x = torch.meshgrid(g, g, g, indexing="ij")
    return torch.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2) / (2 * sd**2)).float()


def test_slice_is_the_transform_of_the_projection() -> None:
    """A Gaussian at c projects to a Gaussian at (A c)_xy of sqrt(2 pi) sd times the height."""
    box, sd, centre = 32, 2.0, torch.tensor([3.0, -4.0, 2.0])
    angles = torch.deg2rad(torch.tensor([[20.0, 50.0, 70.0], [65.0, 100.0, -30.0], [-130.0, 150.0, 10.0]], dtype=torch.float64))
    rotations = euler_to_matrix(angles)
    band = make_band(box, box // 2 - 1)
    slices = projection.project(projection.prepare_reference(_blob(box, centre, sd)), rotations, band)
    images = fourier.inverse(band.scatter(slices), box)
    g = torch.arange(box) - box // 2
    for rotation, image in zip(rotations.float(), images):
        x, y, _ = rotation @ centre
        expected = np.sqrt(2 * np.pi) * sd * torch.exp(-((g[None] - x) ** 2 + (g[:, None] - y) ** 2) / (2 * sd**2))
        assert (image - expected).norm() / expected.norm() < 0.015


@pytest.mark.parametrize("padding", [1, 2, 3])
def test_against_images_projected_by_relion(padding: int) -> None:
    starfile = pytest.importorskip("starfile")
    mrcfile = pytest.importorskip("mrcfile")
    folder = shared_data("golden-projections")
    stem = "relion_proj_batch" if padding == 1 else f"relion_proj_batch_pfac{padding}"
    star = starfile.read(folder / f"{stem}.star")
    golden = mrcfile.read(folder / f"{stem}.mrcs")
    volume = torch.from_numpy(mrcfile.read(folder / "pointmass.mrc").copy())
    p, o, box = star["particles"], star["optics"].iloc[0], golden.shape[1]
    a = float(o.rlnImagePixelSize)
    group = OpticsGroup("g", 1, float(o.rlnVoltage), float(o.rlnSphericalAberration), float(o.rlnAmplitudeContrast), a, box, a)
    angle = np.radians(p[["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]].to_numpy(float))
    band = make_band(box, box // 2 - 1)
    zero = np.zeros(len(p))
    u, v, astigmatism = (p[f"rlnDefocus{name}"].to_numpy(float) for name in ("U", "V", "Angle"))
    defocus = Defocus(u, v, np.radians(astigmatism), zero, zero, zero + 1)
    s = band.k.double() / (box * a)
    slices = projection.project(projection.prepare_reference(volume, padding), euler_to_matrix(torch.from_numpy(angle)), band)
    origin = torch.from_numpy(p[["rlnOriginXAngst", "rlnOriginYAngst"]].to_numpy(float)) / a
    h = shifts.phases(-origin, band.k[:, 0], band.k[:, 1], box)
    mine = slices * h * ctf.evaluate(s[:, 0], s[:, 1], group, defocus)
    theirs = band.gather(fourier.forward(torch.from_numpy(golden.copy())))
    pixels = band.upto(26)  # beyond, the point mass's kernel differs by the interpolator
    a_, b_ = mine[:, 1:pixels], theirs[:, 1:pixels]
    correlation = (a_ * b_.conj()).real.sum(1) / (a_.norm(dim=1) * b_.norm(dim=1))
    scale = (a_ * b_.conj()).real.sum(1) / (a_.abs() ** 2).sum(1)
    assert correlation.min() > 0.999
    assert abs(scale.mean() - 1) < 0.01


def test_reconstruction_returns_the_map() -> None:
    """Many noiseless projections, inserted at their poses and divided by their weight, give the map back."""
    box = 32
    volume = _blob(box, torch.tensor([3.0, -4.0, 2.0]), 2.0) + 0.7 * _blob(box, torch.tensor([-5.0, 1.0, 4.0]), 1.6)
    rotations = random_rotations(3000, torch.Generator().manual_seed(1))
    band = make_band(box, box // 2 - 1)
    values = projection.project(projection.prepare_reference(volume), rotations, band)
    sums = reconstruct.empty_sums(box, 2.0, box // 2 - 1)
    reconstruct.accumulate(sums, values, torch.ones(values.shape), rotations, band)
    reconstruct.complete(sums, operators("C1"))
    again = reconstruct.solve(sums)
    assert np.corrcoef(again.ravel(), volume.ravel())[0, 1] > 0.995
    assert abs((again * volume).sum() / (volume**2).sum() - 1) < 0.02
    assert bool((reconstruct.fsc(sums, sums)[: box // 2] > 0.9999).all())


def test_uniform_prior_halves_the_map_above_the_fifth_shell() -> None:
    """With weight w everywhere and p^3 tau2 = 1/w the Wiener filter is one half (no prior below shell 5)."""
    box, p = 16, 2.0
    sums = reconstruct.empty_sums(box, p, 7)
    sums.weight.fill_(3.0)
    sums.data.copy_(torch.randn(sums.data.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0)) * 3)
    tau2 = torch.full((box // 2 + 1,), 1 / (p**3 * 3.0))
    full, half = reconstruct.solve(sums), reconstruct.solve(sums, tau2)
    a, b = (torch.fft.rfftn(v * projection.gridding(box, p)) for v in (full, half))
    k = torch.fft.fftfreq(box) * box
    r = (k[:, None, None] ** 2 + k[None, :, None] ** 2 + torch.arange(box // 2 + 1) ** 2).sqrt()
    high, low = (r > 5.6) & (r < 6.4), r < 4.4
    assert abs(((a * b.conj()).real[high].sum() / (a.abs() ** 2)[high].sum()) - 0.5) < 0.05
    assert abs(((a * b.conj()).real[low].sum() / (a.abs() ** 2)[low].sum()) - 1.0) < 0.1
