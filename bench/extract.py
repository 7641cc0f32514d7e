"""Particles per second of `verglas extract`'s work: windows of a cached micrograph to normalised, inverted float16 images.

    PYTHONPATH=src python bench/extract.py [--box 256] [--rescale 64] [--processes 2]

Each process has one thread and its own micrograph of 4096 x 4096 px in memory, as the workers of the job have, and nothing is written.
Wall and processor time are both shown: the first suffers from whatever else the machine does.
"""

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import torch

from verglas.io.mrc import half_precision
from verglas.methods.extract import Recipe, images

SIZE, PARTICLES = 4096, 2000


def one(recipe: Recipe, seed: int) -> tuple[float, float, float]:
    """(begin, end, processor seconds) of PARTICLES particles."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    micrograph = rng.normal(1000.0, 30.0, (SIZE, SIZE)).astype(np.float32)
    xy = rng.uniform(0, SIZE, (PARTICLES, 2))
    for block, _ in images(micrograph, xy[:64], recipe):
        half_precision(block.numpy())
    begin, busy = time.time(), time.process_time()
    for block, _ in images(micrograph, xy, recipe):
        half_precision(block.numpy())
    return begin, time.time(), time.process_time() - busy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--box", type=int, default=256)
    parser.add_argument("--rescale", type=int, default=64)
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args()
    recipe = Recipe(chosen.box, chosen.rescale, chosen.rescale, float(int(0.375 * chosen.rescale)))
    with ProcessPoolExecutor(chosen.processes, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(one, [recipe] * chosen.processes, range(chosen.processes)))
    wall = max(end for _, end, _ in found) - min(begin for begin, _, _ in found)
    busy = sum(seconds for *_, seconds in found)
    total = PARTICLES * chosen.processes
    print(f"{chosen.box} -> {chosen.rescale} px, {chosen.processes} processes: {total / wall:.0f} particles/s by the clock, "
          f"{total / busy:.0f} per second and core of processor time ({busy / total * 1e6:.0f} us each)")


if __name__ == "__main__":
    main()
