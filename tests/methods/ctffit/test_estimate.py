"""Fits against simulated truth, and against CTFFIND and repeats on real data."""

from dataclasses import replace

import numpy as np
import pytest

from verglas.io.micrographs_star import read_micrographs
from verglas.io.mrc import read_volume
from verglas.methods.ctffit import (
    Aim,
    CtfFit,
    Lens,
    Range,
    Spectrum,
    estimate,
    estimate_tilted,
    of_amplitudes,
    of_micrograph,
    phase_grid,
    picture,
    tiles,
)
from verglas.methods.ctffit.tilt import corrected
from verglas.testing.data import shared_data
from verglas.testing.thon_rings import Scene, discs, micrograph, power
from verglas.units import DEGREE, MM, wavelength

WANTED = Range(5000, 50000, 2000, 1000, (0.0,), 30, 4)


def lens(voltage_kv: float, cs_mm: float) -> Lens:
    return Lens(wavelength(voltage_kv), cs_mm * MM, np.arcsin(0.1))


def aim(mean: float, astigmatism: float, angle: float, phase: float = 0.0) -> Aim:
    return Aim(mean, astigmatism / 2 * np.cos(2 * angle), astigmatism / 2 * np.sin(2 * angle), phase)


def off(fit: CtfFit, truth: Aim) -> tuple[float, float]:
    """Å of mean defocus, and of the vector of astigmatism (U - V)."""
    return abs(fit.aim.mean - truth.mean), 2 * float(np.hypot(fit.aim.a1 - truth.a1, fit.aim.a2 - truth.a2))


@pytest.mark.parametrize(("voltage_kv", "cs_mm", "pixel_size", "truth", "scene"), [
    (300, 2.7, 1.0, aim(12000, 0, 0), Scene()),
    (300, 0.01, 0.6, aim(25000, 1500, -1.0), Scene(bfactor=40)),
    (200, 1.4, 1.6, aim(6000, 300, 0.4), Scene(ice=3, gradient=0.5)),
    (100, 1.4, 2.0, aim(48000, 800, 1.5), Scene(strength=0.3)),
    (80, 2.7, 1.2, aim(9000, 600, 0.8), Scene(drift=2)),
    (300, 2.7, 1.3, aim(18000, 200, -0.3), Scene(strength=0.15, bfactor=80)),
])
def test_truth_is_found(voltage_kv: float, cs_mm: float, pixel_size: float, truth: Aim, scene: Scene) -> None:
    optics = lens(voltage_kv, cs_mm)
    fit = estimate(of_micrograph(micrograph(optics, truth, pixel_size, 1536, scene, 1), pixel_size), optics, WANTED)
    assert fit.fault == ""
    distance = off(fit, truth)
    assert distance[0] < max(15.0, 4 * fit.errors[0])
    assert distance[1] < max(30.0, 6 * fit.errors[1])
    assert fit.errors[0] < 40


def test_phase_shift_is_found_with_the_defocus() -> None:
    optics, truth = lens(300, 2.7), aim(11000, 400, 0.5, 70 * DEGREE)
    wanted = Range(5000, 50000, 2000, 1000, phase_grid(0, np.pi, 10 * DEGREE), 30, 4)
    fit = estimate(of_micrograph(micrograph(optics, truth, 1.3, 1536, Scene(), 2), 1.3), optics, wanted)
    assert fit.fault == ""
    assert abs(fit.aim.phase - truth.phase) < 5 * DEGREE
    assert off(fit, truth)[0] < 40


def test_a_known_phase_shift_is_kept() -> None:
    optics, truth = lens(300, 2.7), aim(11000, 400, 0.5, 70 * DEGREE)
    wanted = Range(5000, 50000, 2000, 1000, phase_grid(truth.phase, truth.phase, 10 * DEGREE), 30, 4)
    spectrum = Spectrum(power(optics, truth, 1.4, Scene(), 20, 2), 1.4)
    fit = estimate(spectrum, optics, wanted)
    assert fit.fault == "" and fit.aim.phase == truth.phase and len(fit.errors) == 3
    assert off(fit, truth)[0] < 20 < off(estimate(spectrum, optics, WANTED), truth)[0]


def test_errors_are_honest() -> None:
    """Over several noises the scatter of the fits is what each of them says."""
    optics, truth = lens(300, 2.7), aim(15000, 300, 0.2)
    fits = [estimate(of_micrograph(micrograph(optics, truth, 1.5, 1024, Scene(strength=0.3), seed), 1.5), optics, WANTED) for seed in range(4)]
    pulls = np.array([(fit.aim.mean - truth.mean) / fit.errors[0] for fit in fits])
    assert 0.2 < np.sqrt((pulls**2).mean()) < 2.5


@pytest.mark.parametrize("seed", range(3))
def test_without_rings_the_micrograph_is_bad(seed: int) -> None:
    flat = Lens(0.02, 0.0, np.pi / 2)
    image = micrograph(flat, Aim(0.0), 1.4, 1024, Scene(gradient=0.5, ice=3 * (seed % 2)), seed)
    assert "no Thon rings" in estimate(of_micrograph(image, 1.4), lens(300, 2.7), WANTED).fault


@pytest.mark.parametrize(("radius", "strength"), [(35.0, 0.6), (45.0, 2.0), (60.0, 5.0)])
def test_rings_of_discs_are_not_thon_rings(radius: float, strength: float) -> None:
    fit = estimate(of_micrograph(discs(1.4, 1152, radius, strength, 1), 1.4), lens(300, 2.7), WANTED)
    assert fit.score > 30
    assert fit.fault != ""


def test_defocus_out_of_the_range_of_the_search_is_bad() -> None:
    """Rings of 3500 Å look like those of 5500 Å with other strengths, but only in part."""
    optics = lens(200, 2.7)
    fit = estimate(of_micrograph(micrograph(optics, aim(3500, 0, 0), 1.4, 1152, Scene(), 1), 1.4), optics, WANTED)
    assert fit.score > 30
    assert fit.fault != ""


def test_resolution_is_where_the_rings_end() -> None:
    """A finer noise replaces the rings from 7 Å on."""
    optics, truth = lens(300, 2.7), aim(15000, 300, 0.2)
    image = micrograph(optics, truth, 1.4, 1536, Scene(), 1)
    noise = micrograph(Lens(0.02, 0.0, np.pi / 2), Aim(0.0), 1.4, 1536, Scene(), 2)
    one, other = np.fft.rfft2(image), np.fft.rfft2(noise)
    k = np.hypot(np.fft.fftfreq(1536)[:, None], np.fft.rfftfreq(1536)[None]) / 1.4
    mixed = np.fft.irfft2(np.where(k < 1 / 7, one, other)).astype(np.float32)
    fit = estimate(of_micrograph(mixed, 1.4), optics, WANTED)
    assert fit.resolution == pytest.approx(7.0, rel=0.15)
    assert estimate(of_micrograph(image, 1.4), optics, WANTED).resolution < 5.0


def test_turning_the_image_turns_the_angle() -> None:
    optics, truth = lens(300, 2.7), aim(15000, 800, 0.5)
    image = micrograph(optics, truth, 1.4, 1024, Scene(), 3)
    fit, turned = (estimate(of_micrograph(one, 1.4), optics, WANTED) for one in (image, np.ascontiguousarray(image[::-1])))
    assert fit.aim.angle == pytest.approx(0.5, abs=0.03)
    assert turned.aim.angle == pytest.approx(-0.5, abs=0.03)
    assert turned.aim.mean == pytest.approx(fit.aim.mean, abs=10)


def test_picture_is_half_spectrum_half_fit() -> None:
    optics, truth = lens(300, 2.7), aim(15000, 500, 0.5)
    spectrum = of_micrograph(micrograph(optics, truth, 1.4, 1024, Scene(strength=3), 4), 1.4)
    shown = picture(spectrum, optics, estimate(spectrum, optics, WANTED))
    left, right = shown[1:, 1:256][::-1, ::-1], shown[1:, 257:]
    radius = np.hypot(*(np.mgrid[-255:256, 1:256]))
    ringed = (radius > 40) & (radius < 140)
    assert np.corrcoef(left[ringed], right[ringed])[0, 1] > 0.4


def real_spectra(rows: slice) -> list[tuple[CtfFit, float, float]]:
    known = read_micrographs(shared_data("bgal-relion4/micrographs_ctf.star"))
    folder = shared_data("bgal-project")
    assert known.defocus is not None
    found = []
    for i in range(len(known))[rows]:
        image, header = read_volume(folder / (str(known.name[i])[:-4] + "_PS.mrc"))
        fit = estimate(of_amplitudes(image[0], header.pixel_size), Lens.of(known.optics[0]), WANTED)
        found.append((fit, 0.5 * (known.defocus.u[i] + known.defocus.v[i]), known.defocus.u[i] - known.defocus.v[i]))
    return found


def agrees(found: list[tuple[CtfFit, float, float]]) -> None:
    assert all(fit.fault == "" for fit, _, _ in found)
    relative = np.abs([fit.aim.mean / mean - 1 for fit, mean, _ in found])
    assert relative.max() < 0.005
    assert np.median(relative) < 0.002
    assert np.median([abs(fit.aim.u - fit.aim.v - astigmatism) for fit, _, astigmatism in found]) < 50


def test_real_spectra_agree_with_ctffind() -> None:
    agrees(real_spectra(slice(0, None, 6)))


@pytest.mark.slow
def test_all_real_spectra_agree_with_ctffind() -> None:
    agrees(real_spectra(slice(None)))


@pytest.mark.slow
def test_real_micrographs_repeat() -> None:
    """The fields are tilted by 5 to 13 degrees: halves agree when both are fitted at the middle of the field."""
    optics, differences = Lens(wavelength(300), 0.01 * MM, np.arcsin(0.07)), []
    for path in sorted(shared_data("apoferritin").glob("*.mrc")):
        image = read_volume(path)[0][0]
        _, whole, plane = estimate_tilted(image, tiles(image, 1.5), optics, WANTED)
        assert whole.fault == "" and plane is not None
        assert whole.resolution < 7
        means = []
        for number, part in enumerate(np.array_split(image, 2, 1)):
            half = np.ascontiguousarray(part)
            cut = tiles(half, 1.5)
            moved = replace(cut, places=cut.places + np.array([(number - 0.5) * 0.5 * image.shape[1] * 1.5, 0.0]))
            means.append(estimate(corrected(half, moved, optics, whole.aim, plane.slope), optics, WANTED).aim.mean)
        differences.append(abs(means[0] - means[1]))
    assert max(differences) < 50
