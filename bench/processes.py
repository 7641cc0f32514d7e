"""Speed-up of several processes by torchrun: refine3d and class2d with one process, then with more, one thread each.

    python bench/processes.py [--particles 2000] [--box 64] [--processes 2] [--jobs refine3d class2d] [--data STAR MAP]

Simulated D2 particles of SNR 0.1, or (--data) those of a STAR file, refined from its map. Prints seconds of the whole command and of the
iterations alone, their ratios, and the correlation of the maps.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verglas.io.mrc import MrcStack, read_map
from verglas.methods.simulate.images import WhiteNoise
from verglas.testing.particle_sets import blobs, write_set

PIXEL = 3.54
ONE_THREAD = ["--threads", "1", "--deterministic"]


@dataclass(frozen=True)
class Run:
    """Seconds of the command and of its iterations, and the pixels of the result."""

    whole: float
    iterations: float
    pixels: np.ndarray


def arguments(job: str, star: Path, reference: Path, diameter: float) -> list[str]:
    """Of the command line."""
    common = [job, "--particles", str(star), "--mask-diameter", f"{diameter:.0f}"]
    if job == "refine3d":
        return [*common, "--reference", str(reference), "--symmetry", "D2", "--initial-lowpass", "50"]
    return [*common, "--classes", "30", "--iterations", "40"]


def run(processes: int, given: list[str], project: Path, out: Path) -> Run:
    """Both ways by the same interpreter; one process without torchrun."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    begun = time.perf_counter()
    subprocess.run([sys.executable, *torchrun, "-m", "verglas", *given, *ONE_THREAD, "--output", str(out)], cwd=project, check=True,
                   stdout=subprocess.DEVNULL)
    whole = time.perf_counter() - begun
    rows = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    iterations = sum(sum(row["seconds"].values()) for row in rows if row["event"] == "iteration")
    return Run(whole, iterations, result(out))


def result(out: Path) -> np.ndarray:
    """The joined map, or the averages of the last iteration."""
    if (out / "run_class001.mrc").exists():
        return np.asarray(read_map(out / "run_class001.mrc").data).ravel()
    stack = MrcStack(sorted(out.glob("run_it*_classes.mrcs"))[-1])
    return stack.read(np.arange(stack.shape[0])).ravel()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--particles", type=int, default=2000)
    parser.add_argument("--box", type=int, default=64)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--jobs", nargs="+", default=["refine3d", "class2d"])
    parser.add_argument("--data", nargs=2, type=Path, metavar=("STAR", "MAP"), help="run in the folder that image names refer to")
    parser.add_argument("--diameter", type=float, default=200.0, help="Å")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if chosen.data:
            project, (star, reference) = Path(), (path.resolve() for path in chosen.data)
        else:
            made = write_set(folder, blobs(chosen.box, PIXEL), chosen.particles, WhiteNoise(0.1))
            project, star, reference = folder, made.star, made.map_file
        for job in chosen.jobs:
            given = arguments(job, star, reference, min(chosen.diameter, 0.9 * chosen.box * PIXEL))
            one, more = (run(n, given, project, folder / f"{job}{n}") for n in (1, chosen.processes))
            print(f"{job}: 1 process {one.whole:.1f} s ({one.iterations:.1f} s in iterations), {chosen.processes} processes {more.whole:.1f} s "
                  f"({more.iterations:.1f} s): {one.whole / more.whole:.2f} times as fast ({one.iterations / more.iterations:.2f} in iterations), "
                  f"correlation {np.corrcoef(one.pixels, more.pixels)[0, 1]:.7f}", flush=True)


if __name__ == "__main__":
    main()
