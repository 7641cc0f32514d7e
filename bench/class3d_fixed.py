"""Classification with fixed poses against a known truth: three states that differ by a domain of 30 kDa, 20/30/50 %.

    python bench/class3d_fixed.py [particles] [SNR] [seeds]

The states are beta-galactosidase (5a1a) as it is, without a domain of about 30 kDa of chain A, and without one of chain C. For each seed:
the adjusted Rand index (ARI) reached, and that of a classification by the true maps (nobody can do better); then a homogeneous set, which
must be said to be one; then particles whose signal is scaled (log-normal, sd 0.2), with --scale none and --scale optimal.
"""

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import gemmi
import numpy as np
import torch

from verglas.core.projection import prepare_reference
from verglas.io.mrc import StackWriter, write_map
from verglas.io.particles_star import read_particles, write_particles
from verglas.jobs.common import parse
from verglas.jobs.registry import find
from verglas.jobs.runner import Request, run_job
from verglas.methods.simulate.atoms import Atoms, atoms_of, density
from verglas.methods.simulate.design import Design, design, optics_group
from verglas.methods.simulate.images import clean, normalise
from verglas.runtime.resources import Resources
from verglas.testing.data import shared_data
from verglas.types import Map, Particles

BOX, PIXEL, SHARES, DOMAIN = 64, 3.54, (0.5, 0.3, 0.2), 30.0
RESOLUTION, DIAMETER, THREADS = 10.0, 200.0, 1


def states(kilodalton: float = DOMAIN) -> list[Map]:
    """The whole molecule; without the outermost atoms of chain A and of chain C that weigh `kilodalton` together."""
    structure = gemmi.read_structure(str(shared_data("models/5a1a.cif")))
    atoms = atoms_of(structure, 60.0)
    plain = structure.clone()
    plain.remove_hydrogens()
    plain.remove_waters()
    chain = np.array([site.chain.name for site in plain[0].all()])
    maps = [density(atoms, BOX, PIXEL)]
    for name in ("A", "C"):
        mine = np.flatnonzero(chain == name)
        tip = mine[np.argmax(np.linalg.norm(atoms.positions[mine], axis=1))]
        near = mine[np.argsort(np.linalg.norm(atoms.positions[mine] - atoms.positions[tip], axis=1))]
        mass = np.array([Atoms(atoms.positions[i : i + 1], atoms.elements[i : i + 1], atoms.bfactor[:1]).kilodalton for i in near])
        keep = np.setdiff1d(np.arange(len(atoms)), near[: int(np.searchsorted(np.cumsum(mass), kilodalton))])
        maps.append(density(Atoms(atoms.positions[keep], atoms.elements[keep], atoms.bfactor[keep]), BOX, PIXEL))
    return maps


def write_mixture(
    folder: Path, maps: list[Map], number: int, snr: float, seed: int, shares: tuple[float, ...] = SHARES, sd: float = 0.0
) -> Particles:
    """particles.star (with poses), p.mrcs and truth.star with the class numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, 7])
    truth = design(Design(number, (optics_group(PIXEL, BOX),), stack="p", seed=seed))
    truth = replace(truth, class_number=rng.choice(len(shares), number, p=shares) + 1)
    scale = np.exp(rng.normal(0.0, sd, number)).astype(np.float32) if sd else np.ones(number, np.float32)
    references = [prepare_reference(torch.from_numpy(np.array(one.data)), 2.0) for one in maps]
    sample = clean(maps[0], references[0], truth.take(np.arange(50)))
    sigma = float(sample.var() / snr) ** 0.5
    with StackWriter(folder / "p.mrcs", PIXEL) as stack:
        for some in np.array_split(np.arange(number), max(number // 256, 1)):
            pixels = torch.empty(len(some), BOX, BOX)
            for k, reference in enumerate(references):
                mine = np.flatnonzero(truth.class_number[some] == k + 1)
                if len(mine):
                    pixels[mine] = clean(maps[k], reference, truth.take(some[mine]))
            noise = torch.from_numpy(rng.standard_normal((len(some), BOX, BOX), dtype=np.float32))
            stack.append(normalise(pixels * torch.from_numpy(scale[some])[:, None, None] + sigma * noise).numpy())
    write_particles(folder / "truth.star", truth)
    write_particles(folder / "particles.star", replace(truth, class_number=np.zeros(number, np.int64)))
    for k, one in enumerate(maps):
        write_map(folder / f"state{k + 1}.mrc", one)
    return truth


def rand_index(found: np.ndarray, true: np.ndarray) -> float:
    """Adjusted Rand index (Hubert & Arabie 1985)."""
    table = np.zeros((found.max() + 1, true.max() + 1))
    np.add.at(table, (found, true), 1)
    pairs = lambda x: float((x * (x - 1) / 2).sum())  # noqa: E731
    rows, columns, n = pairs(table.sum(1)), pairs(table.sum(0)), len(found)
    expected = rows * columns / (n * (n - 1) / 2)
    return (pairs(table) - expected) / max((rows + columns) / 2 - expected, 1e-12)


def by_true_maps(folder: Path, maps: list[Map], truth: Particles) -> float:
    """ARI of the best classification there is: posteriors with the true maps, shares and scales of the images."""
    from verglas.core.mask import soft_sphere
    from verglas.io.image_source import ImageSource
    from verglas.methods.fixedposes.bootstrap import from_maps
    from verglas.methods.fixedposes.expect import Rule, expect
    from verglas.methods.fixedposes.images import Images, make_grid
    from verglas.methods.fixedposes.plan import Plan
    from verglas.methods.fixedposes.start import Masks, consensus
    from verglas.runtime.blocks import budget

    plan = Plan(classes=len(maps), resolution=RESOLUTION, lowpass=RESOLUTION, diameter=DIAMETER)
    grid = make_grid(BOX, PIXEL, RESOLUTION, 0.75 * DIAMETER)
    images = Images(truth, ImageSource(truth, folder).read, grid, DIAMETER, budget(4.0))
    sphere = soft_sphere(grid.box, DIAMETER / (2 * grid.pixel), 4.0)
    half = np.arange(len(truth)) % 2
    model = consensus(images, Masks(sphere, sphere), half, plan, np.ones(len(truth)))
    model = model.with_differences(from_maps(np.stack([one.data for one in maps]), images, model, Masks(sphere, sphere), plan))
    tally = expect(images, np.arange(len(truth)), replace(model, prior=np.array(SHARES)), half, Rule(), 2.0, grid.shells)
    return rand_index(tally.posterior.argmax(1), truth.class_number - 1)


def classify(folder: Path, name: str, seed: int, **more: object) -> tuple[np.ndarray, float, str]:
    """Class of every particle from 0, seconds, warnings."""
    job = find("class3d-fixed")
    options = {"particles": folder / "particles.star", "classes": 3, "target_resolution": RESOLUTION, "mask_diameter": DIAMETER} | more
    begun = time.monotonic()
    out = run_job(job, parse(job.params, options), Request(Resources(threads=THREADS, seed=seed), folder / name, folder, quiet=True))
    return read_particles(out / "run_data.star").class_number - 1, time.monotonic() - begun, (out / "run.err").read_text().strip()


def main(number: int, snr: float, seeds: int) -> None:
    maps = states()
    masses = ", ".join(f"{1 - one.data.sum() / maps[0].data.sum():.3f}" for one in maps[1:])
    print(f"{number} particles of {BOX} px, SNR {snr}; share of the density that is missing in states 2 and 3: {masses}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        for seed in range(1, seeds + 1):
            folder = Path(name) / f"mixture{seed}"
            truth = write_mixture(folder, maps, number, snr, seed)
            found, seconds, said = classify(folder, "out", seed)
            best = by_true_maps(folder, maps, truth)
            reached = rand_index(found, truth.class_number - 1)
            masked, _, _ = classify(folder, "masked", seed, mask="auto")
            narrow = rand_index(masked, truth.class_number - 1)
            print(f"mixture, seed {seed}: ARI {reached:.3f}, with --mask auto {narrow:.3f} (true maps: {best:.3f}), {seconds:.0f} s; {said}",
                  flush=True)
        folder = Path(name) / "homogeneous"
        write_mixture(folder, maps[:1], number, snr, 1, (1.0,))
        _, seconds, said = classify(folder, "out", 1)
        print(f"homogeneous: {seconds:.0f} s; {said}", flush=True)
        folder = Path(name) / "scaled"
        truth = write_mixture(folder, maps, number, snr, 1, sd=0.2)
        for scale in ("none", "optimal"):
            found, seconds, said = classify(folder, scale, 1, scale=scale)
            print(f"scaled, --scale {scale}: ARI {rand_index(found, truth.class_number - 1):.3f}, {seconds:.0f} s; {said}", flush=True)


if __name__ == "__main__":
    main(*(kind(text) for kind, text in zip((int, float, int), (*sys.argv[1:], *("4000", "0.07", "3")[len(sys.argv) - 1 :]))))
