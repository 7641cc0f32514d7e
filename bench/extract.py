"""Particles per second of `verglas extract`: the whole job, with reading float16 micrographs and writing float16 stacks and the STAR file.

    PYTHONPATH=src python bench/extract.py [--box 256] [--rescale 64] [--micrographs 12] [--particles 400] [--workers 1] [--threads 2]

A first job on one micrograph loads the libraries and is not counted. Wall and processor time are both shown: the first suffers from whatever
else the machine does. Most of the processor time is that of the windows, so --particles (of a micrograph) matters little above 300.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from verglas.io.coordinates import write_coordinate_files, write_coordinates
from verglas.io.micrographs_star import write_micrographs
from verglas.io.mrc import StackWriter
from verglas.jobs.common import parse
from verglas.jobs.registry import find
from verglas.jobs.runner import Request, run_job
from verglas.runtime.resources import Resources
from verglas.types import Coordinates, Micrographs, OpticsGroup

SIZE = 4096


def make(project: Path, count: int, particles: int) -> None:
    """Micrographs of noise, the first of them again in a table of its own, and their picks."""
    rng = np.random.default_rng(0)
    names = [f"m{i}.mrc" for i in range(count)]
    for name in names:
        with StackWriter(project / name, 1.0, "float16") as writer:
            writer.append(rng.normal(10.0, 3.0, (1, SIZE, SIZE)).astype(np.float32))
        zero = np.zeros(particles)
        picks = Coordinates(rng.uniform(0, SIZE, (particles, 2)), zero, zero.astype(np.int64), zero, {})
        write_coordinates(project / name.replace(".mrc", ".star"), picks)
    group = OpticsGroup("one", 1, 300.0, 2.7, 0.1, 1.0, 0, 1.0)
    table = Micrographs((group,), np.array(names, dtype=object), np.zeros(count, dtype=np.int64), {})
    for name, one in (("all", table), ("first", table.take(np.arange(1)))):
        write_micrographs(project / f"{name}.star", one)
        files = one.name.tolist()
        write_coordinate_files(project / f"{name}_picks.star", files, [file.replace(".mrc", ".star") for file in files])


def extract(project: Path, name: str, chosen: argparse.Namespace) -> tuple[float, float]:
    """(wall, processor) seconds of one job, its workers included."""
    job, begin, before = find("extract"), time.time(), os.times()
    options = {"micrographs": project / f"{name}.star", "coordinates": project / f"{name}_picks.star", "box": chosen.box,
               "rescale": chosen.rescale, "workers": chosen.workers}
    run_job(job, parse(job.params, options), Request(Resources(threads=chosen.threads), project=project, quiet=True, reports=False))
    after = os.times()
    return time.time() - begin, sum(after[:4]) - sum(before[:4])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("box", 256), ("rescale", 64), ("micrographs", 12), ("particles", 400), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--workers", default="1")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), chosen.micrographs, chosen.particles)
        extract(Path(folder), "first", chosen)
        wall, busy = extract(Path(folder), "all", chosen)
    total = chosen.micrographs * chosen.particles
    print(f"{chosen.box} -> {chosen.rescale} px, {total} particles of {chosen.micrographs} micrographs: {wall:.1f} s, {total / wall:.0f} particles/s "
          f"by the clock, {total / busy:.0f} per second of processor time")


if __name__ == "__main__":
    main()
