"""Peak memory of `verglas refine3d` on 100,000 particles of 256 px in a stack that is sparse on disk, and its forecast.

    python bench/memory.py [particles] [iterations]

A thousand simulated images fill the beginning of the stack, the rest is a hole; the table's rows refer to these thousand in turn, so
that reading and searching cost what they cost with real images. The refinement is stopped by a signal after its third iteration, or
ends with `iterations` if given: the last one works to Nyquist, where the volumes are largest (about 40 ms per particle).
"""

import re
import resource
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from verglas.io.mrc import StackWriter, write_map
from verglas.io.particles_star import write_particles
from verglas.methods.simulate.design import Design, blind, design, optics_group
from verglas.methods.simulate.images import WhiteNoise, images
from verglas.methods.simulate.phantom import phantom
from verglas.types import ImageRefs

BOX, PIXEL, IMAGES = 256, 1.0, 1000


def make_set(folder: Path, number: int) -> None:
    """particles.star, p.mrcs (26 GB for 100,000, of which 0.26 exist) and map.mrc."""
    volume = phantom(BOX, PIXEL, "D2", kilodalton=400)
    truth = design(Design(IMAGES, (optics_group(PIXEL, BOX),)))
    with StackWriter(folder / "p.mrcs", PIXEL) as stack:
        for block in images(volume, truth, WhiteNoise(0.02)):
            stack.append(block.pixels)
    with (folder / "p.mrcs").open("r+b") as handle:
        handle.seek(8)
        handle.write(np.int32(number).tobytes())
        handle.truncate(1024 + 4 * BOX * BOX * number)
    index = np.arange(number) % IMAGES
    table = replace(blind(truth).take(index), images=ImageRefs(("p.mrcs",), np.zeros(number, np.int64), index))
    write_particles(folder / "particles.star", table)
    write_map(folder / "map.mrc", volume)


def main(number: int, iterations: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        make_set(Path(name), number)
        command = [
            str(Path(sys.executable).with_name("verglas")), "refine3d", "--particles", "particles.star", "--reference", "map.mrc",
            "--initial-lowpass", "40", "--absolute-greyscale", "--symmetry", "D2", "--mask-diameter", "180", "--output", "out",
            "--max-iterations", str(iterations),
        ]
        with subprocess.Popen(command, cwd=name, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as job:
            assert job.stdout is not None
            for line in job.stdout:
                if re.match(r"\s*memory:|iteration|last iteration|verglas", line):
                    print(line.rstrip(), flush=True)
                if line.startswith("iteration 3") and iterations == 0:
                    job.send_signal(signal.SIGINT)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"{number} particles of {BOX} px: peak memory {peak:.2f} GB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, int(sys.argv[2]) if len(sys.argv) > 2 else 0)
