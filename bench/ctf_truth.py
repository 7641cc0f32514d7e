"""CTF fits against simulated truth of many kinds.

    nice -n 5 env OMP_NUM_THREADS=1 PYTHONPATH=src python bench/ctf_truth.py [wide N] [phase N] [discs N] [tilt N] [thickness N] [particles N]
        [seed S]

wide: power spectra of 200 and 300 kV, Cs 0.01 and 2.7 mm, amplitude contrast 0.07 and 0.1, 0.3 to 5 µm, astigmatism up to 3000 Å, 1.4 to 2 Å, any
strength, envelope and number of tiles; counts fits that are wrong (by more than 150 Å) though called good, and right though called bad.
phase: the same with a phase shift from 11 to 166°. discs: discs without Thon rings. tilt: fields tilted by 0 to 55°. thickness: 0 to 2500 Å of ice.
particles: micrographs of particles in ice, first all of one defocus, then as tools/make_movies.py makes them: the particles spread by 150 Å
and the ice at the defocus of the first of them.
"""

import sys
import time

import numpy as np
import scipy.fft

from verglas.methods.ctffit import Aim, Lens, Range, Spectrum, estimate, estimate_thickness, estimate_tilted, of_micrograph, phase_grid, tiles
from verglas.methods.ctffit.lens import gamma
from verglas.testing.thon_rings import Scene, discs, power, tilted
from verglas.units import DEGREE, MM, wavelength

WANTED = Range(5000, 50000, 2000, 1000, (0.0,), 30, 4)


def lens_of(rng: np.random.Generator) -> Lens:
    return Lens(wavelength(rng.choice([200, 300])), rng.choice([0.01, 2.7]) * MM, np.arcsin(rng.choice([0.07, 0.1])))


def aim_of(mean: float, astigmatism: float, angle: float, phase: float = 0.0, thickness: float = 0.0) -> Aim:
    return Aim(mean, 0.5 * astigmatism * np.cos(2 * angle), 0.5 * astigmatism * np.sin(2 * angle), phase, thickness)


def wide(count: int, first: int, phase: bool) -> None:
    wanted = Range(2500, 60000, 3000, 1000, phase_grid(0, np.pi, 10 * DEGREE) if phase else (0.0,), 30, 4)
    rows = []
    for seed in range(first, first + count):
        rng = np.random.default_rng(seed)
        lens, mean = lens_of(rng), np.exp(rng.uniform(np.log(3000), np.log(50000)))
        aim = aim_of(mean, min(3000 * rng.uniform() ** 2, 0.4 * mean), rng.uniform(0, np.pi), rng.uniform(0.2, 2.9) if phase else 0.0)
        pixel, scene = max(1.4, rng.uniform(0.5, 2)), Scene(10 ** rng.uniform(-1.8, -0.1), rng.choice([40, 100, 200]), rng.choice([0, 0, 2]))
        start = time.process_time()
        fit = estimate(Spectrum(power(lens, aim, pixel, scene, rng.uniform(8, 60), seed), pixel), lens, wanted)
        turn = abs(((fit.aim.phase - aim.phase) / DEGREE + 90) % 180 - 90)
        rows.append((abs(fit.aim.mean - mean), fit.fault == "", turn, fit.errors[0], time.process_time() - start))
        if rows[-1][1] == (rows[-1][0] > 150) or (phase and rows[-1][1] and turn > 5):
            print(f"{seed}: {mean:.0f} Å off {fit.aim.mean - mean:+.0f} ± {fit.errors[0]:.0f}, {turn:.1f}°, score {fit.score:.0f} rival "
                  f"{fit.rival:.0f} res {fit.resolution:.1f} explained {fit.explained:.2f} {fit.fault or 'GOOD'}", flush=True)
    off, good, turn, error, took = np.array(rows, dtype=float).T
    good = good > 0
    print(f"{count} spectra, {good.sum()} called good: off by {np.median(off[good]):.1f} Å (median), {np.percentile(off[good], 95):.0f} (95 %), "
          f"{off[good].max():.0f} (largest), rms of off / standard error {np.sqrt(np.mean((off[good] / error[good]) ** 2)):.2f}; phase "
          f"{np.median(turn[good]):.1f}°, {turn[good].max():.1f}°; wrong called good {(good & (off > 150)).sum()}, right called bad "
          f"{(~good & (off <= 150)).sum()}; {took.mean():.2f} s of CPU, {took.max():.2f} at most")


def no_rings(count: int, first: int) -> None:
    wrong, told = 0, 0
    for seed in range(first, first + count):
        rng = np.random.default_rng(seed)
        image = discs(1.4, 1152, np.exp(rng.uniform(np.log(25), np.log(150))), 10 ** rng.uniform(-1, 1), seed)
        fit = estimate(of_micrograph(image, 1.4), lens_of(rng), WANTED)
        wrong, told = wrong + (fit.fault == ""), told + (fit.score > 30)
    print(f"{count} micrographs of discs: {told} with a log likelihood ratio above 30, {wrong} called good")


def tilts(count: int, first: int) -> None:
    for seed in range(first, first + count):
        rng = np.random.default_rng(seed)
        lens, degrees, axis = lens_of(rng), 55 * (seed - first) / max(1, count - 1), rng.uniform(0, np.pi)
        slope = (float(np.tan(degrees * DEGREE) * np.sin(axis)), float(-np.tan(degrees * DEGREE) * np.cos(axis)))
        aim = aim_of(rng.uniform(9000, 25000), 300, rng.uniform(0, np.pi))
        image = tilted(lens, aim, 1.4, 1536, slope, Scene(10 ** rng.uniform(-0.8, 0)), seed)
        plain, start = estimate(of_micrograph(image, 1.4), lens, WANTED), time.process_time()
        _, fit, found = estimate_tilted(image, tiles(image, 1.4), lens, WANTED)
        told = "no tilt" if found is None else (f"{found.angle / DEGREE:.1f} ± {found.angle_error / DEGREE:.1f}° about {found.axis / DEGREE:.0f} ± "
                                                f"{found.axis_error / DEGREE:.0f}°, gain {found.gain:.0f}")
        print(f"{degrees:.0f}° about {axis / DEGREE:.0f}°: {told}; off {plain.aim.mean - aim.mean:+.0f} -> {fit.aim.mean - aim.mean:+.0f} Å, res "
              f"{plain.resolution:.1f} -> {fit.resolution:.1f} Å; {time.process_time() - start:.1f} s {fit.fault}", flush=True)


def thicknesses(count: int, first: int) -> None:
    pulls = []
    for seed in range(first, first + count):
        rng = np.random.default_rng(seed)
        lens, truth = lens_of(rng), 2500.0 * (seed - first) / max(1, count - 1)
        aim = aim_of(rng.uniform(8000, 25000), 200, rng.uniform(0, np.pi), 0.0, truth)
        spectrum = Spectrum(power(lens, aim, 1.4, Scene(10 ** rng.uniform(-1, 0), rng.choice([40, 60, 100])), 40, seed), 1.4)
        fit, found = estimate_thickness(spectrum, lens, estimate(spectrum, lens, WANTED), WANTED)
        if found.value is not None:
            pulls.append((found.value - truth, found.error))
        told = f"{found.value:.0f} ± {found.error:.0f}" if found.value is not None else f"less than {found.below:.0f}"
        print(f"{truth:.0f} Å: {told}; node at {np.sqrt(lens.wavelength * max(truth, 1)):.1f} Å, defocus off {fit.aim.mean - aim.mean:+.0f} Å, "
              f"res {fit.resolution:.1f} Å {fit.fault}", flush=True)
    off = np.array(pulls)
    print(f"{len(pulls)} of {count} found: off by {np.median(np.abs(off[:, 0])):.0f} Å (median), {np.abs(off[:, 0]).max():.0f} (largest), rms of off "
          f"/ standard error {np.sqrt(np.mean((off[:, 0] / off[:, 1]) ** 2)):.2f}")


def field(rng: np.random.Generator, lens: Lens, aim: Aim, pixel: float, spread: float) -> tuple[np.ndarray, float, float]:
    """(1536, 1536) micrograph of 50 blobby particles in ice, 30 e/Å², the defocus of its ice, and the median of the particles."""
    side = 1536
    ky, kx = scipy.fft.fftfreq(side)[:, None] / pixel, scipy.fft.rfftfreq(side)[None] / pixel
    k2 = kx * kx + ky * ky
    safe = np.where(k2 > 0, k2, 1.0)

    def transfer(mean: float) -> np.ndarray:
        return np.sin(gamma(lens, Aim(mean, aim.a1, aim.a2), k2, (kx * kx - ky * ky) / safe, 2 * kx * ky / safe))

    groups = aim.mean + spread * rng.standard_normal(11 if spread else 1)
    total = scipy.fft.rfft2(rng.standard_normal((side, side))) * np.exp(-20 * k2) * transfer(float(groups[0]))
    total *= 0.04 / scipy.fft.irfft2(total, s=(side, side)).std()
    for one in groups:
        points = np.zeros((side, side))
        for _ in range(round(50 / len(groups))):
            atoms = rng.uniform(100, side - 100, 2) + rng.normal(0, 35 / pixel, (150, 2))
            np.add.at(points, tuple(np.clip(np.rint(atoms).astype(int), 0, side - 1).T), 1.0)
        density = scipy.fft.rfft2(points) * np.exp(-60 * k2)
        total += 0.5 * density * transfer(float(one)) / pixel**2
    shot = rng.standard_normal((side, side)) / np.sqrt(30 * pixel**2)
    image: np.ndarray = (scipy.fft.irfft2(total * np.exp(-15 * k2), s=(side, side)) + shot).astype(np.float32)
    return image, float(groups[0]), float(np.median(groups))


def particles(count: int, first: int) -> None:
    for spread in (0.0, 150.0):
        rows = []
        for seed in range(first, first + count):
            rng = np.random.default_rng(seed)
            lens, pixel = lens_of(rng), rng.choice([0.7, 0.9, 1.1, 1.4])
            aim = aim_of(rng.uniform(6000, 25000), rng.uniform(0, 500), rng.uniform(0, np.pi))
            image, ice, median = field(rng, lens, aim, pixel, spread)
            fit = estimate(of_micrograph(image, pixel), lens, WANTED)
            rows.append((abs(fit.aim.mean - ice), abs(fit.aim.mean - median), fit.fault != "", fit.resolution))
        off = np.array(rows)
        near, median = (f"{np.median(one):.0f} Å (median), {one.max():.0f} (largest)" for one in off.T[:2])
        print(f"{count} micrographs, particles spread by {spread:.0f} Å: off from the ice {near}; from the median particle {median}; called bad "
              f"{off[:, 2].sum():.0f}; fit to {np.median(off[:, 3]):.1f} Å", flush=True)


if __name__ == "__main__":
    words = sys.argv[1:] or ["wide", "100", "phase", "40", "discs", "40", "tilt", "6", "thickness", "15", "particles", "10"]
    chosen = dict(zip(words[::2], map(int, words[1::2])))
    first = chosen.pop("seed", 0)
    for word, number in chosen.items():
        match word:
            case "wide" | "phase":
                wide(number, first, word == "phase")
            case "discs":
                no_rings(number, first)
            case "tilt":
                tilts(number, first)
            case "thickness":
                thicknesses(number, first)
            case "particles":
                particles(number, first)
