"""2D classes of the 2,374 real beta-galactosidase particles (EMPIAR-10204), beside those of RELION 5 on the same particles.

    python bench/class2d_real.py [--data ../shared/data] [--classes 30] [--iterations 100] [--algorithm vdam] [--seeds 1] [--gallery class2d.png]

1,400 of the particles survived to the final refinement of the tutorial: they are the good ones. Classes are chosen by someone who knows (in the
order of their share of good particles) and by `rank-classes` alone; the table gives precision and recall of the particles. The gallery shows
both programs' averages, largest first, ours on the left; under each its share of all particles and of good ones among its own.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from verglas.io.mrc import MrcStack
from verglas.io.particles_star import read_particles
from verglas.io.star import read_star
from verglas.jobs.common import parse
from verglas.jobs.registry import find
from verglas.jobs.runner import Request, run_job
from verglas.methods.rank import gallery
from verglas.runtime.resources import choose_resources
from verglas.types import Particles

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
PARTICLES, GOOD = "bgal-project/derived/particles_ctf_fixed.star", "bgal-project/derived/particles_with_poses.star"
RELION, LAST = "bgal-relion5-class2d", "run_it090"
RECALL, PRECISION, SCORES = (0.6, 0.7, 0.8, 0.9), (0.7, 0.8), (0.4, 0.5, 0.6, 0.7)


@dataclass(frozen=True)
class Classes:
    """Averages (K, B, B), class of every particle (N,) from 0, whether it is good (N,), score of every class (K,)."""

    images: np.ndarray
    number: np.ndarray
    good: np.ndarray
    score: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        return np.bincount(self.number, minlength=len(self.images))

    @property
    def shares(self) -> np.ndarray:
        """Good ones among the particles of each class."""
        return np.bincount(self.number, self.good, len(self.images)) / np.maximum(self.counts, 1)

    def chosen(self, which: np.ndarray) -> tuple[float, float]:
        """Recall and precision of the particles in the classes `which` (K,) bool."""
        kept = which[self.number]
        return float(self.good[kept].sum() / self.good.sum()), float(self.good[kept].mean()) if kept.any() else 0.0


def names(particles: Particles) -> list[str]:
    images = particles.images
    return [f"{number}@{Path(images.stacks[stack]).name}" for number, stack in zip(images.index, images.stack)]


def classify(data: Path, options: argparse.Namespace, seed: int, output: Path) -> float:
    """Our job; seconds."""
    job, begun = find("class2d"), time.monotonic()
    chosen = {"particles": data / PARTICLES, "classes": options.classes, "iterations": options.iterations, "algorithm": options.algorithm,
              "mask_diameter": 200.0}
    run_job(job, parse(job.params, chosen), Request(choose_resources(threads=options.threads, seed=seed), output, data / "bgal-project", quiet=True))
    return time.monotonic() - begun


def load(folder: Path, root: str, good: set[str], work: Path) -> Classes:
    """The classes of a job folder, ours or RELION's, and what rank-classes says of them."""
    job = find("rank-classes")
    params = parse(job.params, {"model": folder / f"{root}_model.star", "class_averages": folder / f"{root}_classes.mrcs", "mask_diameter": 200.0})
    table = read_star(run_job(job, params, Request(choose_resources(), work, work.parent, quiet=True)) / "rank.star")["classes"]
    score = np.zeros(len(table))
    score[table["rlnClassNumber"].astype(int) - 1] = table["verglasClassScore"]
    particles = read_particles(folder / f"{root}_data.star")
    with MrcStack(folder / f"{root}_classes.mrcs") as stack:
        images = stack.read(np.arange(len(score)))
    return Classes(images, particles.class_number - 1, np.array([name in good for name in names(particles)]), score)


def by_knowledge(classes: Classes) -> tuple[np.ndarray, np.ndarray]:
    """Recall and precision after each class, in the order of their share of good particles."""
    order = np.argsort(-classes.shares, kind="stable")
    good, every = np.cumsum(classes.shares[order] * classes.counts[order]), np.cumsum(classes.counts[order])
    return good / classes.good.sum(), good / np.maximum(every, 1)


def row(name: str, classes: Classes) -> str:
    """Best recall at a precision and best precision at a recall, by knowledge; recall / precision by score."""
    recall, precision = by_knowledge(classes)
    cells = [f"{recall[precision >= p].max(initial=0):.2f}" for p in PRECISION]
    cells += [f"{precision[recall >= r].max(initial=0):.2f}" for r in RECALL]
    cells += ["/".join(f"{value:.2f}" for value in classes.chosen(classes.score >= least)) for least in SCORES]
    return f"{name:<16}" + "".join(f"{cell:>10}" for cell in cells)


def picture(classes: Classes) -> np.ndarray:
    order = np.argsort(-classes.counts, kind="stable")
    captions = [f"{100 * classes.counts[k] / len(classes.number):.0f} %  good {100 * classes.shares[k]:.0f} %" for k in order]
    return np.asarray(gallery(classes.images[order], captions, classes.score[order] >= 0.6))


def side_by_side(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Two pictures (H, W) or (H, W, 3) with a white band between them."""
    height = max(len(left), len(right))
    padded = [np.pad(one, ((0, height - len(one)), (0, 0), (0, 0))[: one.ndim]) for one in (left, right)]
    band = np.full((height, 12, *left.shape[2:]), 255, left.dtype)
    return np.concatenate((padded[0], band, padded[1]), axis=1)


def main(options: argparse.Namespace) -> None:
    data = options.data
    missing = [one for one in (PARTICLES, GOOD, RELION) if not (data / one).exists()]
    if missing:
        print(f"bench/class2d_real.py: skipped, {missing[0]} is not in {data} (--data)")
        return
    good = set(names(read_particles(data / GOOD)))
    heads = [f"rec@{p:g}" for p in PRECISION] + [f"prec@{r:g}" for r in RECALL] + [f"score {s:g}" for s in SCORES]
    print(f"{'':<16}" + "".join(f"{head:>10}" for head in heads))
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        theirs = load(data / RELION, LAST, good, work / "rank-relion")
        print(row("RELION 5", theirs), flush=True)
        for seed in range(options.seeds):
            seconds = classify(data, options, seed, work / f"ours{seed}")
            ours = load(work / f"ours{seed}", f"run_it{options.iterations:03d}", good, work / f"rank{seed}")
            print(row(f"ours, seed {seed}", ours) + f"   {seconds:.0f} s, {(ours.counts > 0).sum()} classes in use", flush=True)
    Image.fromarray(side_by_side(picture(ours), picture(theirs))).save(options.gallery)
    print(f"all particles: precision {theirs.good.mean():.2f}; {options.gallery}: ours left, RELION's right, largest first")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=SHARED)
    parser.add_argument("--classes", type=int, default=30)
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument("--algorithm", default="vdam")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    parser.add_argument("--gallery", type=Path, default=Path("class2d.png"))
    sys.exit(main(parser.parse_args()))
