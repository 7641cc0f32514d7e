"""Cost of one iteration of a global search (order 2, C1, one class, band of 46 px), split by stage, against the floor of its products.

    python bench/expectation.py [particles] [--relion]

Simulates particles of the built-in phantom (128 px of 1.77 Å) and runs five iterations; from the third on the band has about 46 px. With --relion the
same iteration by RELION 3.1.3's relion_refine (Debian's package) is timed on the same files, for 200 particles, and the ratio printed.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from verglas.core import filters
from verglas.io.mrc import StackWriter, write_map
from verglas.io.particles_star import write_particles
from verglas.methods.refine import loop
from verglas.methods.refine.plan import Plan
from verglas.methods.refine.source import make_source
from verglas.methods.refine.state import State
from verglas.methods.simulate.design import Design, blind, design, optics_group
from verglas.methods.simulate.images import WhiteNoise, images
from verglas.methods.simulate.phantom import phantom
from verglas.runtime.blocks import budget
from verglas.runtime.resources import apply, choose_resources
from verglas.types import ImageRefs, Map, Particles

BOX, PIXEL, DIAMETER = 128, 1.77, 200.0
PLAN = Plan("C1", DIAMETER, 50.0, absolute_greyscale=True, offset_range=5 * PIXEL, offset_step=PIXEL)
ITERATIONS = 5
RELION_PARTICLES = 200


def product_rate() -> float:
    """GF/s of one large float32 product."""
    a, b = torch.randn(2048, 1650), torch.randn(4608, 1650)
    a @ b.T
    start = time.perf_counter()
    for _ in range(3):
        a @ b.T
    return 3 * 2 * 2048 * 1650 * 4608 / (time.perf_counter() - start) / 1e9


def main(number: int, with_relion: bool) -> None:
    apply(choose_resources())
    volume = phantom(BOX, PIXEL, "C1", kilodalton=450)
    truth = design(Design(number, (optics_group(PIXEL, BOX),), seed=1))
    pixels = np.concatenate([block.pixels for block in images(volume, truth, WhiteNoise(0.05))])
    particles = replace(truth, half=loop.assign_halves(np.zeros(number, np.int64), PLAN))
    source = make_source(particles, lambda rows: pixels[rows], (BOX, PIXEL), DIAMETER, budget())
    low = filters.lowpass(torch.from_numpy(volume.data), PIXEL, 50.0).numpy()
    state = loop.start(source, low, PIXEL, PLAN)
    rate = product_rate()
    print(f"{number} particles, {torch.get_num_threads()} threads, {rate:.0f} GF/s in one float32 product")
    for _ in range(ITERATIONS):
        start = time.perf_counter()
        done = loop.step(state, source, PLAN)
        seconds, state = time.perf_counter() - start, done.state
        shifts, turns, pixels_coarse = 21, 192 * 24, np.pi / 2 * (done.coarse_size / 2) ** 2
        floor = number * turns * pixels_coarse * (4 * shifts + 2) / rate / 1e9
        split = ", ".join(f"{name} {1000 * value / number:.2f}" for name, value in done.seconds.items())
        print(
            f"iteration {state.iteration}: band {state.schedule.current_size} px, coarse {done.coarse_size} px, "
            f"Pmax {state.models[0].average_pmax:.2f}: "
            f"{1000 * seconds / number:.2f} ms per particle ({split}); products' floor {1000 * floor / number:.2f} ms, "
            f"{100 * floor / done.seconds['coarse']:.0f} % of the coarse pass, {100 * floor / seconds:.0f} % of the iteration"
        )
    if with_relion:
        theirs, ours = relion_time(volume, particles, pixels, state), 1000 * seconds / number
        print(f"RELION 3.1.3, {RELION_PARTICLES} particles: {theirs:.1f} ms per particle; ratio {theirs / ours:.0f}")


def relion_time(volume: Map, particles: Particles, pixels: np.ndarray, state: State) -> float:
    """ms per particle of one iteration of relion_refine (3D, one class, order 2) from the same low-passed map."""
    program = shutil.which("relion_refine")
    if program is None:
        raise SystemExit("relion_refine is not installed (Debian: apt-get install relion)")
    rows = np.arange(RELION_PARTICLES)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with StackWriter(folder / "p.mrcs", PIXEL) as stack:
            stack.append(pixels[rows])
        few = blind(particles.take(rows))
        write_particles(folder / "p.star", replace(few, images=ImageRefs(("p.mrcs",), np.zeros(len(rows), np.int64), rows)))
        write_map(folder / "ref.mrc", Map(state.models[0].map, PIXEL))
        (folder / "out").mkdir()
        command = [
            program, "--i", "p.star", "--ref", "ref.mrc", "--o", "out/run", "--iter", "1", "--ini_high", "10",
            "--particle_diameter", str(DIAMETER), "--K", "1",
            "--healpix_order", "2", "--oversampling", "1", "--offset_range", "5", "--offset_step", "2", "--sym", "C1", "--ctf", "--zero_mask",
            "--flatten_solvent", "--norm", "--scale", "--pad", "2", "--j", str(torch.get_num_threads()), "--tau2_fudge", "4",
        ]
        start = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return 1000 * (time.perf_counter() - start) / len(rows)


if __name__ == "__main__":
    words = [w for w in sys.argv[1:] if not w.startswith("-")]
    main(int(words[0]) if words else 2000, "--relion" in sys.argv)
