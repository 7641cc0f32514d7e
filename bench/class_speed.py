"""Time of one iteration of class3d and class2d beside RELION 3.1.3's on the same files, in one run.

    python bench/class_speed.py [--number 1500] [--relion-3d 60] [--relion-2d 300] [--box 64] [--only ours]

Simulates particles of the built-in phantom. Both programs get the same particles (RELION the first few of them), box, starting maps, classes,
orders, offsets, mask and finest resolution, so that both work on the same band; the time is that between the optimiser files of successive
iterations, the last two of four, so start-up does not count. From fewer particles RELION's band, which is printed, may be a little smaller.
Printed: ms per particle and ratios for class3d K = 4 and class2d EM K = 30, the time of class3d K = 8 over K = 1, and what share of the time of
the coarse pass the floor of its matrix products is (4 T + 2 flops per pixel, orientation, class and particle at the rate of one large product;
over 100 % means that the pass does less than all of the products).
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from expectation import product_rate

from verglas.core import filters
from verglas.core.sampling import orientation_grid
from verglas.core.shifts import offset_grid
from verglas.io.model_star import read_model
from verglas.io.mrc import StackWriter, write_map
from verglas.io.particles_star import read_particles, write_particles
from verglas.jobs.common import parse
from verglas.jobs.registry import find
from verglas.jobs.runner import Request, run_job
from verglas.methods.simulate.design import Design, blind, design, optics_group
from verglas.methods.simulate.images import WhiteNoise, images
from verglas.methods.simulate.phantom import phantom
from verglas.runtime.resources import choose_resources
from verglas.types import Map

EXTENT, DIAMETER, RESOLUTION, START = 226.56, 180.0, 12.0, 20.0
"""Å: width of the box, mask diameter, finest resolution compared, low-pass filter of the starting map."""
ORDER, PSI, OFFSETS = 2, 6.0, (5.0, 1.0)
ITERATIONS, LAST = 4, 2


@dataclass(frozen=True)
class Case:
    """A classification: `job` class2d or class3d, K classes, particles."""

    job: str
    classes: int
    number: int


@dataclass(frozen=True)
class Timing:
    """ms per particle and iteration, and the diameter of the last band (px)."""

    each: float
    band: int


def simulate(folder: Path, number: int, box: int) -> None:
    """p.mrcs, start.mrc, and the blind table particles.star."""
    pixel = EXTENT / box
    volume = phantom(box, pixel, "C1", kilodalton=450)
    truth = design(Design(number, (optics_group(pixel, box),), stack="p", seed=1))
    with StackWriter(folder / "p.mrcs", pixel) as stack:
        for block in images(volume, truth, WhiteNoise(0.1)):
            stack.append(block.pixels)
    write_particles(folder / "particles.star", blind(truth))
    write_map(folder / "start.mrc", Map(filters.lowpass(torch.from_numpy(np.array(volume.data)), pixel, START).numpy(), pixel))


def subset(folder: Path, number: int) -> str:
    """The table of the first particles."""
    name = f"first{number}.star"
    write_particles(folder / name, read_particles(folder / "particles.star").take(np.arange(number)))
    return name


def measured(folder: Path, number: int) -> Timing:
    """From the files of a classification."""
    times = [(folder / f"run_it{n:03d}_optimiser.star").stat().st_mtime_ns / 1e9 for n in range(ITERATIONS - LAST, ITERATIONS + 1)]
    band = read_model(folder / f"run_it{ITERATIONS:03d}_model.star").general["rlnCurrentImageSize"]
    return Timing(1000 * (times[-1] - times[0]) / LAST / number, int(band))  # type: ignore[call-overload]


def ours(case: Case, folder: Path, threads: int) -> tuple[Timing, Path]:
    """Our job and its folder."""
    options: dict[str, object] = {
        "particles": folder / subset(folder, case.number), "classes": case.classes, "iterations": ITERATIONS, "mask_diameter": DIAMETER,
        "offset_range": OFFSETS[0], "offset_step": OFFSETS[1], "limit_resolution": RESOLUTION}
    if case.job == "class2d":
        options |= {"algorithm": "em", "psi_step": PSI}
    else:
        options |= {"reference": folder / "start.mrc", "initial_lowpass": START, "absolute_greyscale": True, "healpix_order": ORDER}
    job = find(case.job)
    request = Request(choose_resources(threads=threads, seed=1), folder / f"{case.job}-{case.classes}", folder, quiet=True)
    out = run_job(job, parse(job.params, options), request)
    return measured(out, case.number), out


def relion(case: Case, folder: Path, threads: int) -> Timing:
    """relion_refine on the first particles of the same stack."""
    out = folder / f"relion-{case.job}"
    out.mkdir()
    command = [
        "relion_refine", "--i", subset(folder, case.number), "--o", f"{out.name}/run", "--iter", str(ITERATIONS), "--K", str(case.classes),
        "--particle_diameter", str(DIAMETER), "--offset_range", str(OFFSETS[0]), "--offset_step", str(2 * OFFSETS[1]), "--oversampling", "1", "--ctf",
        "--norm", "--scale", "--flatten_solvent", "--zero_mask", "--pad", "2", "--strict_highres_exp", str(RESOLUTION), "--random_seed", "1",
        "--dont_combine_weights_via_disc", "--preread_images", "--j", str(threads)]
    if case.job == "class2d":
        command += ["--psi_step", str(2 * PSI), "--tau2_fudge", "2", "--center_classes"]
    else:
        command += ["--ref", "start.mrc", "--ini_high", str(START), "--healpix_order", str(ORDER), "--sym", "C1", "--tau2_fudge", "4"]
    with (folder / "relion.log").open("w") as log:
        if subprocess.run(command, cwd=folder, stdout=log, stderr=log).returncode:
            raise SystemExit(f"relion_refine failed: {(folder / 'relion.log').read_text()[-1000:]}")
    return measured(out, case.number)


def floor_share(out: Path, case: Case, rate: float) -> float:
    """Seconds that the products of the coarse pass need at `rate` (GF/s) over those that it took, in the last iterations of our class3d."""
    rows = [row for row in map(json.loads, (out / "events.jsonl").read_text().splitlines()) if row["event"] == "iteration"][-LAST:]
    turns = orientation_grid(ORDER, "C1").rotation_count * case.classes
    shifts = len(offset_grid(OFFSETS[0], 2 * OFFSETS[1]))
    flops = sum(case.number * turns * np.pi / 2 * (row["coarse_size"] / 2) ** 2 * (4 * shifts + 2) for row in rows)
    return float(flops / rate / 1e9 / sum(row["seconds"]["coarse"] for row in rows))


def main(options: argparse.Namespace) -> None:
    with_relion = options.only != "ours" and shutil.which("relion_refine") is not None
    threads = choose_resources(threads=options.threads).threads
    torch.set_num_threads(threads)
    rate = product_rate()
    print(f"{options.number} particles of {options.box} px, compared to {RESOLUTION:g} Å; {threads} threads, {rate:.0f} GF/s in one float32 product")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate(folder, options.number, options.box)
        solid: dict[int, tuple[Timing, Path]] = {}
        for classes in (1, 4, 8):
            solid[classes] = ours(Case("class3d", classes, options.number), folder, threads)
            share = floor_share(solid[classes][1], Case("class3d", classes, options.number), rate)
            print(f"class3d K = {classes}: {solid[classes][0].each:.2f} ms per particle, band {solid[classes][0].band} px, "
                  f"floor of the products {100 * share:.0f} % of the coarse pass", flush=True)
        print(f"class3d K = 8 over K = 1: {solid[8][0].each / solid[1][0].each:.1f} (wanted: at most 6)", flush=True)
        flat, _ = ours(Case("class2d", 30, options.number), folder, threads)
        print(f"class2d EM K = 30: {flat.each:.2f} ms per particle, band {flat.band} px", flush=True)
        if not with_relion:
            print("RELION: not asked" if options.only else "RELION: skipped, relion_refine is not installed (Debian: apt-get install relion)")
            return
        for case, mine, wanted in (
            (Case("class3d", 4, options.relion_3d), solid[4][0], 30), (Case("class2d", 30, options.relion_2d), flat, 20)
        ):
            theirs = relion(case, folder, threads)
            print(f"RELION 3.1.3 {case.job} K = {case.classes}, {case.number} particles: {theirs.each:.1f} ms per particle, band {theirs.band} px; "
                  f"ratio {theirs.each / mine.each:.0f} (wanted: at least {wanted})", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--number", type=int, default=1500)
    parser.add_argument("--relion-3d", type=int, default=60)
    parser.add_argument("--relion-2d", type=int, default=300)
    parser.add_argument("--box", type=int, default=64)
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    parser.add_argument("--only", choices=("ours",), help="leave RELION out")
    sys.exit(main(parser.parse_args()))
