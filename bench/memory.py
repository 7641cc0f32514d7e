"""Peak memory of refine3d's first iteration on 100,000 particles of 256 px in a sparse stack on disk (no bytes are stored).

    python bench/memory.py [particles]

The images read as zeros, so this shows memory and the cost of reading and transforming, not a result. Stops after one iteration.
"""

import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from verglas.io.image_source import ImageSource
from verglas.io.mrc import StackWriter
from verglas.methods.refine import loop
from verglas.methods.refine.plan import Plan
from verglas.methods.refine.source import make_source
from verglas.methods.simulate.design import Design, blind, design, optics_group
from verglas.methods.simulate.phantom import phantom
from verglas.runtime.blocks import budget
from verglas.runtime.resources import apply, choose_resources
from verglas.types import ImageRefs

BOX, PIXEL = 256, 1.0


def sparse_stack(path: Path, number: int) -> None:
    """A float32 stack of `number` images: a real first image, then a hole."""
    with StackWriter(path, PIXEL) as stack:
        stack.append(np.random.default_rng(0).normal(size=(1, BOX, BOX)).astype(np.float32))
    with path.open("r+b") as handle:
        handle.seek(8)
        handle.write(np.int32(number).tobytes())
        handle.truncate(1024 + 4 * BOX * BOX * number)


def main(number: int) -> None:
    apply(choose_resources())
    with tempfile.TemporaryDirectory() as name:
        sparse_stack(Path(name) / "p.mrcs", number)
        plan = Plan("D2", 200.0, 40.0, absolute_greyscale=True, offset_range=5.0, offset_step=1.0, healpix_order=1)
        table = blind(design(Design(number, (optics_group(PIXEL, BOX),))))
        table = replace(table, images=ImageRefs(("p.mrcs",), np.zeros(number, np.int64), np.arange(number)))
        table = replace(table, half=loop.assign_halves(np.zeros(number, np.int64), plan))
        source = make_source(table, ImageSource(table, Path(name)).read, (BOX, PIXEL), plan.diameter, budget(3.0))
        state = loop.start(source, phantom(BOX, PIXEL, "D2", kilodalton=400).data, PIXEL, plan)
        start = time.perf_counter()
        loop.step(state, source, plan)
        seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{number} particles of {BOX} px: {seconds:.0f} s for one iteration, peak memory {peak:.2f} GB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
