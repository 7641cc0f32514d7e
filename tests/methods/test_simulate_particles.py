"""Simulated particles: RELION's projector gives the same images, and the noise is what was asked for."""

import subprocess
from dataclasses import replace
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import torch

from verglas.core.filters import lowpass
from verglas.core.mask import soft_sphere
from verglas.errors import InputError
from verglas.io.mrc import write_map
from verglas.io.particles_star import write_particles
from verglas.methods.simulate import (
    ColouredNoise,
    DefocusSpread,
    Design,
    GivenPoses,
    NoNoise,
    WhiteNoise,
    blind,
    design,
    images,
    optics_group,
)
from verglas.methods.simulate.images import Noise
from verglas.testing.data import relion_program, shared_data
from verglas.types import Map, OpticsGroup, Particles, Poses


def small_map(box: int = 32, pixel: float = 4.0) -> Map:
    """A smooth asymmetric random object in a ball."""
    noise = torch.randn(box, box, box, generator=torch.Generator().manual_seed(1))
    return Map(lowpass(noise * soft_sphere(box, box / 4, 2), pixel, 3 * pixel).numpy(), pixel)


def pixels_of(volume: Map, truth: Particles, noise: Noise, **options: int) -> np.ndarray:
    """Images in the order of the rows (one optics group)."""
    blocks = list(images(volume, truth, noise, **options))
    out = np.empty((len(truth), *blocks[0].pixels.shape[1:]), dtype=np.float32)
    for block in blocks:
        out[block.rows] = block.pixels
    return out


def correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([np.corrcoef(x.ravel(), y.ravel())[0, 1] for x, y in zip(a, b, strict=True)])


GROUP = optics_group(4.0, 32)


def relion_images(folder: Path, volume: Map, truth: Particles, *options: str) -> np.ndarray:
    write_map(folder / "map.mrc", volume)
    write_particles(folder / "truth.star", truth)
    command = [relion_program("relion_project"), "--i", "map.mrc", "--ang", "truth.star", "--o", "out", *options]
    command += ["--angpix", str(volume.pixel_size)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=100)
    return mrcfile.read(folder / "out.mrcs")


@pytest.mark.parametrize(
    "group",
    [
        optics_group(3.54, 64),
        replace(optics_group(3.54, 64, 1, 300.0, 2.7), even_zernike=(0.05, 3.0, 1.0, 2.0, 10.0, 20.0, 30.0)),
    ],
    ids=["plain", "even Zernikes"],
)
def test_images_are_those_of_relion_project(tmp_path: Path, group: OpticsGroup) -> None:
    """Same orientation, shift, CTF sign and scale for a real map and random poses."""
    volume = Map(mrcfile.read(shared_data("sim-bgal64/bgal64.mrc")).astype(np.float32), 3.54)
    truth = design(Design(25, (group,), defocus=DefocusSpread(phase_shift=0.4), seed=3))
    theirs = relion_images(tmp_path, volume, truth, "--ctf")
    ours = pixels_of(volume, truth, NoNoise())
    assert correlations(ours, theirs).min() > 0.999
    scale = [(x * y).sum() / (y * y).sum() for x, y in zip(ours, theirs, strict=True)]
    np.testing.assert_allclose(scale, 1.0, atol=0.005)


def test_origin_is_what_brings_the_image_back() -> None:
    """Shifting an image by +origin / a pixels gives the centred one."""
    truth = design(Design(6, (GROUP,), seed=2))
    shifts = np.array([[3, -2], [0, 4], [-5, 1], [2, 2], [0, 0], [1, -1]], dtype=np.float64)
    moved = replace(truth, poses=Poses(truth.poses.angles, shifts * 4.0))
    centred = replace(truth, poses=Poses(truth.poses.angles, np.zeros((6, 2))))
    a, b = (pixels_of(small_map(), t, NoNoise()) for t in (moved, centred))
    back = np.stack([np.roll(x, (int(s[1]), int(s[0])), (0, 1)) for x, s in zip(a, shifts, strict=True)])
    np.testing.assert_allclose(back, b, atol=1e-4 * np.abs(b).max())


def test_projection_along_z_sums_the_voxels() -> None:
    volume = small_map()
    plain = replace(GROUP, ctf_corrected=True)
    poses = Poses(np.zeros((1, 3)), np.zeros((1, 2)))
    image = pixels_of(volume, design(Design(1, (plain,), GivenPoses(poses))), NoNoise())[0]
    expected = volume.data.sum(0)
    np.testing.assert_allclose(image, expected, atol=0.05 * expected.max())
    assert np.corrcoef(image.ravel(), expected.ravel())[0, 1] > 0.998


@pytest.mark.parametrize(("box", "pixel"), [(48, 4.0), (40, 3.2), (24, 4.0), (26, 5.0)])
def test_other_boxes_and_pixels_show_the_same_thing(box: int, pixel: float) -> None:
    """A pixel is the same sum along z in any box and at any pixel size that resolves the map."""
    volume = small_map()
    truth = design(Design(4, (replace(GROUP, ctf_corrected=True),), seed=5))
    truth = replace(truth, poses=Poses(truth.poses.angles, np.zeros((4, 2))))
    other = replace(truth, optics=(replace(GROUP, ctf_corrected=True, box=box, pixel_size=pixel),))
    from verglas.core.resample import resample

    here = torch.from_numpy(pixels_of(volume, truth, NoNoise()))
    expected = resample(here, 4.0, pixel, box, dims=2).numpy()
    found = pixels_of(volume, other, NoNoise())
    assert correlations(found, expected).min() > 0.995
    assert np.abs(found).max() == pytest.approx(np.abs(expected).max(), rel=0.03)


@pytest.mark.parametrize("noise", [WhiteNoise(0.1), ColouredNoise(0.1, 20.0)])
def test_images_are_normalised_and_have_the_asked_signal_to_noise(noise: WhiteNoise | ColouredNoise) -> None:
    volume, truth = small_map(), design(Design(60, (GROUP,), seed=4))
    noisy, clean = pixels_of(volume, truth, noise), pixels_of(volume, truth, NoNoise())
    y, x = np.mgrid[:32, :32] - 16
    background = noisy[:, np.hypot(x, y) > 0.45 * 32]
    np.testing.assert_allclose(background.mean(1), 0, atol=1e-5)
    np.testing.assert_allclose(background.std(1), 1, atol=1e-5)
    slope = np.array([np.polyfit(c.ravel(), n.ravel(), 1)[0] for c, n in zip(clean, noisy, strict=True)])
    residual = noisy - slope.mean() * clean
    assert slope.mean() ** 2 * clean.var() / residual.var() == pytest.approx(0.1, rel=0.1)
    assert slope.min() > 0


def test_noise_spectra() -> None:
    """White is flat; coloured falls as 1 / (1 + (knee s)^2)."""
    from verglas.core.shells import radius, shell_index, shell_mean

    volume, truth = Map(np.zeros((32,) * 3, np.float32), 4.0), design(Design(200, (GROUP,), seed=4))
    volume.data[16, 16, 16] = 1.0
    index = shell_index(32, 2)
    for noise, knee in ((WhiteNoise(1e-3), 0.0), (ColouredNoise(1e-3, 20.0), 20.0)):
        power = torch.fft.rfft2(torch.from_numpy(pixels_of(volume, truth, noise))).abs() ** 2
        found = shell_mean(power.mean(0), index, 16)
        expected = shell_mean(1 / (1 + (knee * radius(32, 2) / 128) ** 2), index, 16)
        ratio = (found / expected)[2:]
        np.testing.assert_allclose((ratio / ratio.mean()).numpy(), 1.0, atol=0.12)


def test_the_same_images_for_any_block_and_another_for_another_seed() -> None:
    volume, truth = small_map(), design(Design(23, (GROUP,)))
    a = pixels_of(volume, truth, WhiteNoise(0.1), block=23)
    b = pixels_of(volume, truth, WhiteNoise(0.1), block=5)
    c = pixels_of(volume, truth, WhiteNoise(0.1), seed=9)
    np.testing.assert_allclose(a, b, atol=1e-5)
    assert np.abs(a - c).max() > 1


def test_groups_have_stacks_of_their_own() -> None:
    other = replace(optics_group(5.0, 24, 2, voltage_kv=300.0), beam_tilt_mrad=(1.0, 0.0))
    truth = design(Design(50, (GROUP, other), per_micrograph=10, stack="sim"))
    assert truth.images.stacks == ("sim_1.mrcs", "sim_2.mrcs")
    seen: dict[int, list[int]] = {0: [], 1: []}
    for block in images(small_map(), truth, WhiteNoise(0.2), block=7):
        group = truth.optics_index[block.rows]
        assert len(set(group)) == 1 and block.pixels.shape[1] == truth.optics[group[0]].box
        assert len(set(truth.group[block.rows])) >= 1
        seen[group[0]] += truth.images.index[block.rows].tolist()
    assert all(rows == list(range(len(rows))) for rows in seen.values()) and sum(map(len, seen.values())) == 50
    assert all(len(set(truth.optics_index[truth.group == m])) == 1 for m in set(truth.group))


def test_premultiplied_images_are_the_ctf_times_the_plain_ones() -> None:
    from verglas.core import ctf
    from verglas.core.band import make_band
    from verglas.core.fourier import forward

    volume, truth = small_map(), design(Design(5, (GROUP,)))
    twice = replace(truth, optics=(replace(GROUP, ctf_premultiplied=True),))
    band = make_band(32, 15)
    sx, sy = (band.k / 128).to(torch.float64).T
    c = ctf.evaluate(sx, sy, GROUP, truth.defocus)
    a, b = (band.gather(forward(torch.from_numpy(pixels_of(volume, t, NoNoise())))) for t in (truth, twice))
    torch.testing.assert_close(a * c, b, atol=1e-6, rtol=1e-4)


def test_truth_follows_the_design() -> None:
    spread = DefocusSpread(10000, 12000, 50.0, (200.0, 300.0))
    truth = design(Design(3000, (GROUP,), defocus=spread, per_micrograph=100))
    d = truth.defocus
    assert len(truth.group_names) == 30 and set(np.unique(truth.group)) <= set(range(30))
    assert ((d.u - d.v) >= 200).all() and ((d.u - d.v) <= 300).all()
    within = [((d.u + d.v) / 2)[truth.group == m].std() for m in range(30)]
    assert np.mean(within) == pytest.approx(50, rel=0.1)
    assert truth.poses.origin.std() == pytest.approx(7.0, rel=0.05)
    direction_z = np.cos(truth.poses.angles[:, 1])
    assert direction_z.mean() == pytest.approx(0, abs=0.05)
    assert (direction_z**2).mean() == pytest.approx(1 / 3, rel=0.05)
    hidden = blind(truth)
    assert not hidden.poses.angles.any() and not hidden.poses.origin.any()
    assert hidden.defocus is d and hidden.images is truth.images
    again = design(Design(3000, (GROUP,), defocus=spread, per_micrograph=100))
    assert np.array_equal(again.poses.angles, truth.poses.angles)


def test_wrong_numbers_are_explained() -> None:
    with pytest.raises(InputError, match="2 poses given for 3"):
        design(Design(3, (GROUP,), GivenPoses(Poses(np.zeros((2, 3)), np.zeros((2, 2))))))
    with pytest.raises(InputError):
        design(Design(0, (GROUP,)))


def test_relion_reconstructs_the_map_from_our_truth(tmp_path: Path) -> None:
    """Our images with the truth STAR give RELION the map back: orientation, hand, shift and CTF together."""
    from verglas.io.mrc import read_map
    from verglas.methods.mapops import compare_maps

    volume = small_map()
    truth = design(Design(600, (GROUP,), stack="p"))
    write_particles(tmp_path / "truth.star", truth)
    with mrcfile.new(tmp_path / "p.mrcs") as stack:
        stack.set_data(pixels_of(volume, truth, WhiteNoise(5.0)))
    command = [relion_program("relion_reconstruct"), "--i", "truth.star", "--o", "r.mrc", "--ctf"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=100)
    back = replace(read_map(tmp_path / "r.mrc"), pixel_size=4.0)
    curve = compare_maps(volume, back, Map(soft_sphere(32, 10, 4).numpy(), 4.0)).fsc
    assert curve[:10].min() > 0.97
