"""CTF fits against CTFFIND, between parts of real micrographs, and against truth.

    nice -n 5 env OMP_NUM_THREADS=1 PYTHONPATH=src VERGLAS_TEST_DATA=/path/to/data python bench/ctf.py
        [spectra] [fields] [simulated N] [phase N] [empty N]

spectra: 24 real power spectra, CTFFIND's values as reference. fields: 8 real micrographs, whole and halves, with and without
their tilt. simulated, phase: N micrographs of known CTF,
80 to 300 kV, 0.5 to 2 Å, 0.5 to 5 µm, with ice rings, gradients and weak rings. empty: N micrographs without rings; none may be called good.
More simulations: bench/ctf_truth.py.
"""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from verglas.io.micrographs_star import read_micrographs
from verglas.io.mrc import read_volume
from verglas.methods.ctffit import Aim, CtfFit, Lens, Range, estimate, estimate_tilted, of_amplitudes, of_micrograph, phase_grid, tiles
from verglas.methods.ctffit.spectrum import of_tiles
from verglas.methods.ctffit.tilt import corrected
from verglas.testing.thon_rings import Scene, micrograph
from verglas.units import DEGREE, MM, wavelength

DATA = Path(os.environ.get("VERGLAS_TEST_DATA", "../shared/data"))
PIXEL = 1.5
WANTED = Range(5000, 50000, 2000, 1000, (0.0,), 30, 4)


def spectra() -> None:
    known = read_micrographs(DATA / "bgal-relion4/micrographs_ctf.star")
    lens, rows = Lens.of(known.optics[0]), []
    print("micrograph   CTFFIND: mean astig angle   verglas: mean astig angle    off %   astig  angle   FOM   res Å    ice  score rival   s")
    for i, name in enumerate(known.name):
        image, header = read_volume(DATA / "bgal-project" / (str(name)[:-4] + "_PS.mrc"))
        start = time.process_time()
        fit = estimate(of_amplitudes(image[0], header.pixel_size), lens, WANTED)
        took = time.process_time() - start
        u, v, angle = known.defocus.u[i], known.defocus.v[i], known.defocus.angle[i] / DEGREE
        mean, found = (u + v) / 2, fit.aim.angle / DEGREE
        rows.append((100 * (fit.aim.mean / mean - 1), fit.aim.u - fit.aim.v - (u - v), (found - angle + 90) % 180 - 90, took))
        print(f"{str(name)[-20:-15]} {mean:17.0f} {u - v:5.0f} {angle:5.0f} {fit.aim.mean:15.0f} {fit.aim.u - fit.aim.v:5.0f} {found:5.0f}"
              f" {rows[-1][0]:10.2f} {rows[-1][1]:7.0f} {rows[-1][2]:6.1f} {fit.correlation:6.3f} {fit.resolution:6.2f} {fit.ice:6.2f}"
              f" {fit.score:6.0f} {fit.rival:5.0f} {took:5.2f} {fit.fault}")
    off = np.abs(np.array(rows))
    print(f"median |off| {np.median(off[:, 0]):.3f} %, largest {off[:, 0].max():.3f} %; astigmatism median {np.median(off[:, 1]):.0f} Å; "
          f"angle median {np.median(off[:, 2]):.1f}°; {off[:, 3].mean():.2f} s of CPU per spectrum, largest {off[:, 3].max():.2f}")


def fields() -> None:
    """Halves of a field, left and right and top and bottom: plain, and both at the middle of the field by the plane of the whole field. (That plane
    was found from both halves; the tiles of each color of a chessboard are halves that know nothing of each other.)"""
    lens, found, sharper = Lens(wavelength(300), 0.01 * MM, np.arcsin(0.07)), [], []
    for path in sorted((DATA / "apoferritin").glob("*.mrc")):
        image = read_volume(path)[0][0]
        start = time.process_time()
        plain = estimate(of_micrograph(image, PIXEL), lens, WANTED)
        cut = tiles(image, PIXEL)
        _, whole, plane = estimate_tilted(image, cut, lens, WANTED)
        took = time.process_time() - start
        assert plane is not None
        row = []
        for axis in (1, 0):
            pair = []
            for number, part in enumerate(np.array_split(image, 2, axis)):
                part, shift = np.ascontiguousarray(part), np.zeros(2)
                shift[1 - axis] = (number - 0.5) * 0.5 * image.shape[axis] * PIXEL
                own = tiles(part, PIXEL)
                moved = replace(own, places=own.places + shift)
                pair.append((estimate(of_tiles(part, own), lens, WANTED).aim.mean,
                             estimate(corrected(part, moved, lens, whole.aim, plane.slope), lens, WANTED).aim.mean))
            row += [pair[0][i] - pair[1][i] for i in (0, 1)]
        color = np.add.reduce([np.unique(cut.corners[:, i], return_inverse=True)[1] for i in (0, 1)]) % 2
        odd, even = (estimate(corrected(image, cut.take(color == i), lens, whole.aim, plane.slope), lens, WANTED).aim.mean for i in (0, 1))
        found.append((*row, odd - even))
        sharper.append((plain.resolution, whole.resolution, whole.score / plain.score))
        print(f"{path.stem[-8:]} mean {whole.aim.mean:.0f} ± {whole.errors[0]:.0f} Å astig {whole.aim.u - whole.aim.v:.0f} tilt "
              f"{plane.angle / DEGREE:.1f} ± {plane.angle_error / DEGREE:.1f}° axis {plane.axis / DEGREE:.0f}; res {plain.resolution:.2f} -> "
              f"{whole.resolution:.2f} Å score {plain.score:.0f} -> {whole.score:.0f}; left - right {row[0]:+.0f} -> {row[1]:+.0f} top - bottom "
              f"{row[2]:+.0f} -> {row[3]:+.0f} chess {odd - even:+.0f} Å {took:.1f} s {whole.fault}", flush=True)
    off = np.abs(found)
    print("median", np.median(off, axis=0).round(), "largest", off.max(axis=0).round(),
          "Å: left - right plain, at the middle; top - bottom plain, at the middle; chess. Score times", np.mean(sharper, axis=0)[2].round(2))


def drawn(seed: int, phase: bool) -> tuple[Lens, Aim, float, Scene]:
    rng = np.random.default_rng(seed)
    lens = Lens(wavelength(rng.choice([80, 100, 200, 300])), rng.choice([0.01, 1.4, 2.7]) * MM, np.arcsin(0.1))
    mean, angle = np.exp(rng.uniform(np.log(5000), np.log(50000))), rng.uniform(0, np.pi)
    half = 0.5 * rng.uniform(0, 1500 if mean > 8000 else 500)
    scene = Scene(10 ** rng.uniform(-1.5, 0), rng.choice([40, 100, 200]), rng.choice([0, 0, 3]), rng.uniform(0, 0.5), rng.choice([0, 0, 2]))
    aim = Aim(mean, half * np.cos(2 * angle), half * np.sin(2 * angle), rng.uniform(0.2, 2.9) if phase else 0.0)
    return lens, aim, float(rng.choice([0.5, 0.8, 1.0, 1.3, 1.6, 2.0])), scene


def simulated(count: int, phase: bool) -> None:
    rows = []
    for seed in range(count):
        lens, aim, pixel, scene = drawn(seed, phase)
        wanted = Range(4000, 60000, 2000, 1000, phase_grid(0, np.pi, 10 * DEGREE) if phase else (0.0,), 30, 4)
        fit: CtfFit = estimate(of_micrograph(micrograph(lens, aim, pixel, 2048, scene, seed), pixel), lens, wanted)
        off = fit.aim.mean - aim.mean, 2 * np.hypot(fit.aim.a1 - aim.a1, fit.aim.a2 - aim.a2), (fit.aim.phase - aim.phase) / DEGREE
        rows.append((abs(off[0]), off[1], abs((off[2] + 90) % 180 - 90), fit.fault == ""))
        print(f"{seed:3d} λ {lens.wavelength:.4f} {pixel} {aim.mean:6.0f} {aim.u - aim.v:5.0f} {scene.strength:.3f} B {scene.bfactor:3.0f} "
              f"ice {scene.ice}: {off[0]:7.0f} {off[1]:6.0f} {rows[-1][2]:5.1f}° ± {fit.errors[0]:4.0f} score {fit.score:6.0f} "
              f"rival {fit.rival:5.0f} res {fit.resolution:5.1f} {fit.fault}", flush=True)
    all_rows = np.array(rows)
    good = all_rows[all_rows[:, 3] > 0]
    lost = ((all_rows[:, 3] == 0) & (all_rows[:, 0] < 150)).sum()
    print(f"{len(good)} of {count} called good: defocus error median {np.median(good[:, 0]):.0f} Å, 95 % {np.percentile(good[:, 0], 95):.0f}, "
          f"largest {good[:, 0].max():.0f}; astigmatism vector median {np.median(good[:, 1]):.0f} Å; phase median {np.median(good[:, 2]):.1f}°, "
          f"largest {good[:, 2].max():.1f}°; above 150 Å: {(good[:, 0] > 150).sum()}; called bad though within 150 Å: {lost}")


def empty(count: int) -> None:
    wrong = 0
    for seed in range(count):
        lens, _, pixel, scene = drawn(seed, False)
        flat = Lens(lens.wavelength, 0.0, np.pi / 2)
        image = micrograph(flat, Aim(0.0), pixel, 2048, scene, seed)
        fit = estimate(of_micrograph(image, pixel), lens, WANTED)
        wrong += fit.fault == ""
        print(f"{seed:3d} score {fit.score:6.1f} rival {fit.rival:6.1f} defocus {fit.aim.mean:.0f} res {fit.resolution:.1f}: {fit.fault or 'GOOD'}",
              flush=True)
    print(f"{wrong} of {count} without rings called good")


if __name__ == "__main__":
    words = sys.argv[1:] or ["spectra", "fields", "simulated", "40", "phase", "20", "empty", "20"]
    for word, number in zip(words, [*words[1:], ""]):
        match word:
            case "spectra":
                spectra()
            case "fields":
                fields()
            case "simulated" | "phase":
                simulated(int(number), word == "phase")
            case "empty":
                empty(int(number))
