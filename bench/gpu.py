"""One E-step of a classification on a GPU: its time, its share of the device's product rate, its memory, and whether its poses are the CPU's.

    python bench/gpu.py [particles] [--small]

100,000 particles of 256 px are made on the device from the built-in phantom and compared with 6 references at order 2 (15 and 7.5 degrees).
The first passage reads and transforms the images; the second, which is timed, finds them on the device. The floor is that of engine.md's two products
at the rate of one large bfloat16 product. Without a GPU nothing is run; --small runs the same code with tiny numbers on the CPU.
"""

import sys
import time
from dataclasses import dataclass, replace

import numpy as np
import torch

from verglas.core import filters, projection
from verglas.core.rotations import angular_distance, euler_to_matrix
from verglas.core.sampling import Grid, orientation_grid
from verglas.methods.refine.expect import Belief, Setting, Task, expect, make_grids
from verglas.methods.refine.images import geometry
from verglas.methods.refine.plan import Plan
from verglas.methods.refine.search import Gaussian
from verglas.methods.refine.source import Source, initial_noise, make_source
from verglas.methods.refine.spectra import Reader
from verglas.methods.refine.state import Alignment, Sampling
from verglas.methods.simulate.design import Design, design, optics_group
from verglas.methods.simulate.images import clean, normalise
from verglas.methods.simulate.phantom import phantom
from verglas.runtime.blocks import budget
from verglas.runtime.resources import apply, choose_resources
from verglas.runtime.stopwatch import Stopwatch
from verglas.types import Map, Particles

SNR = 0.05


@dataclass(frozen=True)
class Size:
    """`band` in shells; `subset`: particles whose poses are compared with the CPU's."""

    particles: int
    box: int
    pixel: float
    classes: int
    order: int
    band: int
    kilodalton: float
    subset: int


FULL = Size(100_000, 256, 1.3, 6, 2, 64, 450, 400)
SMALL = Size(12, 32, 5.0, 2, 0, 8, 150, 8)


def diameter(size: Size) -> float:
    return 0.8 * size.box * size.pixel


def simulated(volume: Map, truth: Particles, device: str) -> Reader:
    """Pixels of any rows, made when they are asked for; the noise of a particle depends on its row alone."""
    reference = projection.prepare_reference(torch.from_numpy(np.array(volume.data)).to(device))
    sigma = float(clean(volume, reference, truth.take(np.arange(min(50, len(truth))))).std()) / SNR**0.5

    def read(rows: np.ndarray) -> np.ndarray:
        pixels = clean(volume, reference, truth.take(rows))
        for image, row in zip(pixels, rows):
            image += sigma * torch.randn(image.shape, generator=torch.Generator(device).manual_seed(int(row)), device=device)
        return normalise(pixels).numpy(force=True)

    return read


def references(volume: Map, classes: int) -> tuple[np.ndarray, ...]:
    """The map at falling resolutions, from 10 times the pixel."""
    data = torch.from_numpy(np.array(volume.data))
    return tuple(filters.lowpass(data, volume.pixel_size, 10 * volume.pixel_size * (1 + 0.1 * k)).numpy() for k in range(classes))


@dataclass(frozen=True)
class Problem:
    belief: Belief
    setting: Setting
    grid: Grid


def problem(size: Size, volume: Map, source: Source) -> Problem:
    generator, shells = torch.Generator().manual_seed(1), size.box // 2 + 1
    sigma2, grid = initial_noise(source, size.box, generator), orientation_grid(size.order, "C1")
    prior = np.full((size.classes, grid.direction_count), 1.0 / (size.classes * grid.direction_count))
    maps = references(volume, size.classes)
    belief = Belief(maps, prior, sigma2, np.ones(len(source.particles.group_names)), np.zeros((size.classes, shells)), 100.0, 1.0)
    plan = Plan("C1", diameter(size), absolute_greyscale=True)
    sampling = Sampling(size.order, 5 * size.pixel, 2 * size.pixel, 0.1)
    return Problem(belief, Setting(plan, sampling, grid, size.band, size.box, size.pixel, Gaussian(0.999)), grid)


def nowhere(number: int) -> Alignment:
    """Nothing known of any pose."""
    zeros = np.zeros(number)
    return Alignment(np.zeros((number, 3)), np.zeros((number, 2)), np.ones(number), zeros, np.zeros(number, np.int64), zeros)


def product_rate(device: str, side: int) -> float:
    """Operations per second of a product of two (side, side) matrices in bfloat16, summed in float32."""
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        a @ b
    start, times = _now(device), 10
    for _ in range(times):
        a @ b
    return times * 2 * side**3 / (_now(device) - start)


def _now(device: str) -> float:
    if device != "cpu":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def timing(size: Size, volume: Map, truth: Particles, device: str) -> None:
    """Two passages over all particles; prints the second."""
    source = make_source(truth, simulated(volume, truth, device), (size.box, size.pixel), diameter(size), budget(device=device), device=device)
    p, task = problem(size, volume, source), Task(np.arange(len(truth)), nowhere(len(truth)))
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats(device)
    for _ in range(2):
        watch, start = Stopwatch(), _now(device)
        expect(p.belief, task, source, p.setting, watch)
        seconds = _now(device) - start
    grids = make_grids(p.setting, geometry(truth.optics[0], size.box, size.pixel, size.band))
    shifts, turns, pixels = len(grids.phases), size.classes * p.grid.rotation_count, grids.looks[-1]
    rate = product_rate(device, 512 if device == "cpu" else 8192)
    floor = len(truth) * turns * pixels * (4.0 * shifts + 2.0) / rate
    row("seconds per iteration", f"{seconds:.2f}")
    row("  by stage", ", ".join(f"{name} {value:.2f}" for name, value in watch.seconds.items()))
    row("particles x classes x rotations x shifts x pixels", f"{len(truth)} x {size.classes} x {p.grid.rotation_count} x {shifts} x {pixels}")
    row("one large bfloat16 product", f"{rate / 1e12:.3g} Tflop/s")
    row("share of that rate", f"{100 * floor / seconds:.2g} %")
    row("images kept on the device", "yes" if source.spectra[0].cache is not None else "no")
    row("peak memory", "-" if device == "cpu" else f"{torch.cuda.max_memory_allocated(device) / 2**30:.1f} GiB")


def agreement(size: Size, volume: Map, truth: Particles, device: str) -> None:
    """Poses of the same images: this device against the CPU, and two random perturbations on the CPU against each other."""
    few = truth.take(np.arange(size.subset))
    pixels = simulated(volume, few, device)(np.arange(size.subset))
    angles = []
    for where, perturbation in ((device, 0.1), ("cpu", 0.1), ("cpu", -0.3)):
        source = make_source(few, lambda rows: pixels[rows], (size.box, size.pixel), diameter(size), budget(device=where), device=where)
        p = problem(size, volume, source)
        setting = replace(p.setting, sampling=replace(p.setting.sampling, perturbation=perturbation))
        _, found = expect(p.belief, Task(np.arange(size.subset), nowhere(size.subset)), source, setting, Stopwatch())
        angles.append(euler_to_matrix(torch.from_numpy(found.angles)))
    here, seeds = (float((torch.rad2deg(angular_distance(angles[1], other)) < 1).double().mean()) for other in (angles[0], angles[2]))
    row(f"poses within 1 degree: {device} and CPU", f"{100 * here:.1f} %")
    row("poses within 1 degree: two seeds on the CPU", f"{100 * seeds:.1f} %")
    row("the device agrees at least as well as the seeds", "yes" if here >= seeds else "NO")


def row(name: str, value: str) -> None:
    print(f"{name:52} {value}", flush=True)


def main(words: list[str]) -> None:
    small = "--small" in words
    if not small and not torch.cuda.is_available():
        print("not run: no GPU")
        return
    size, resources = SMALL if small else FULL, choose_resources("cpu" if small else "cuda")
    numbers = [w for w in words if w.isdigit()]
    size = replace(size, particles=int(numbers[0])) if numbers else size
    apply(resources)
    volume = phantom(size.box, size.pixel, "C1", kilodalton=size.kilodalton)
    truth = design(Design(size.particles, (optics_group(size.pixel, size.box),), seed=1))
    row("device", "cpu" if small else torch.cuda.get_device_name(resources.device))
    timing(size, volume, truth, resources.device)
    agreement(size, volume, truth, resources.device)


if __name__ == "__main__":
    main(sys.argv[1:])
