"""The truth of a simulated particle set: who, where, seen how."""

from dataclasses import dataclass, field, replace

import numpy as np
import torch

from verglas.core.rotations import matrix_to_euler, random_rotations
from verglas.errors import InputError
from verglas.types import Defocus, ImageRefs, OpticsGroup, Particles, Poses


@dataclass(frozen=True)
class UniformPoses:
    """Uniform over all rotations; origins normal with `offset_sd` Å along x and y."""

    offset_sd: float = 7.0


@dataclass(frozen=True)
class GivenPoses:
    """These poses, one for each particle in order."""

    poses: Poses


PoseSource = UniformPoses | GivenPoses


@dataclass(frozen=True)
class DefocusSpread:
    """Micrographs: mean defocus uniform in low..high (Å), astigmatism u - v uniform in a range (Å), any angle;
    particles differ from their micrograph by a normal deviate of `particle_sd` Å. phase_shift: radians."""

    low: float = 8000.0
    high: float = 22000.0
    particle_sd: float = 150.0
    astigmatism: tuple[float, float] = (100.0, 600.0)
    phase_shift: float = 0.0


@dataclass(frozen=True)
class Design:
    """What to simulate: `number` particles in micrographs of about `per_micrograph`, shared evenly among the groups.

    Image box and pixel size are those of each optics group. `stack` names the image stack without `.mrcs`; with several
    groups `_1`, `_2`, ... is added, one stack for each.
    """

    number: int
    optics: tuple[OpticsGroup, ...]
    poses: PoseSource = field(default_factory=UniformPoses)
    defocus: DefocusSpread = field(default_factory=DefocusSpread)
    per_micrograph: int = 100
    stack: str = "particles"
    seed: int = 1


def optics_group(pixel: float, box: int, number: int = 1, voltage_kv: float = 200.0, cs_mm: float = 1.4) -> OpticsGroup:
    """A plain optics group without aberrations, amplitude contrast 0.1; use `dataclasses.replace` for more."""
    return OpticsGroup(f"opticsGroup{number}", number, voltage_kv, cs_mm, 0.1, pixel, box, pixel)


def design(plan: Design) -> Particles:
    """The truth: poses, defocus, micrographs and optics of every particle. The same for the same seed."""
    _check(plan)
    rng = np.random.default_rng([plan.seed, 0])
    micrographs = max(len(plan.optics), plan.number // max(1, plan.per_micrograph), 1)
    of = np.sort(rng.integers(0, micrographs, plan.number))
    optics_index = of * len(plan.optics) // micrographs
    names = tuple(f"mic{m:05d}.mrc" for m in range(micrographs))
    return Particles(
        optics=plan.optics,
        images=_image_refs(plan, optics_index),
        optics_index=optics_index,
        group=of,
        group_names=names,
        defocus=_defocus(plan.defocus, of, micrographs, rng),
        poses=_poses(plan, rng),
        half=np.zeros(plan.number, dtype=np.int64),
        class_number=np.ones(plan.number, dtype=np.int64),
        norm=np.ones(plan.number),
        extra={"rlnMicrographName": np.array(names, dtype=object)[of]},
    )


def blind(truth: Particles) -> Particles:
    """The same particles without poses."""
    return replace(truth, poses=Poses(np.zeros_like(truth.poses.angles), np.zeros_like(truth.poses.origin)))


def _check(plan: Design) -> None:
    if plan.number < 1 or not plan.optics:
        raise InputError(f"{plan.number} particles in {len(plan.optics)} optics groups; both must be at least 1")
    if isinstance(plan.poses, GivenPoses) and len(plan.poses.poses.angles) != plan.number:
        raise InputError(
            f"{len(plan.poses.poses.angles)} poses given for {plan.number} particles", where="simulate",
            remedy="ask for as many particles as there are poses",
        )


def _poses(plan: Design, rng: np.random.Generator) -> Poses:
    match plan.poses:
        case GivenPoses(poses):
            return poses
        case UniformPoses(offset_sd):
            turns = random_rotations(plan.number, torch.Generator().manual_seed(int(rng.integers(2**62))))
            return Poses(matrix_to_euler(turns).numpy(), rng.normal(0.0, offset_sd, (plan.number, 2)))


def _defocus(spread: DefocusSpread, of: np.ndarray, micrographs: int, rng: np.random.Generator) -> Defocus:
    """One row for each particle from its micrograph number `of` (N,)."""
    mean = rng.uniform(spread.low, spread.high, micrographs)[of] + rng.normal(0.0, spread.particle_sd, len(of))
    half = rng.uniform(*spread.astigmatism, micrographs)[of] / 2
    angle = rng.uniform(0.0, np.pi, micrographs)[of]
    phase = np.full(len(of), spread.phase_shift)
    return Defocus(mean + half, mean - half, angle, phase, np.zeros(len(of)), np.ones(len(of)))


def _image_refs(plan: Design, optics_index: np.ndarray) -> ImageRefs:
    """Image i of a group is number i of the group's stack."""
    many = len(plan.optics) > 1
    stacks = tuple(f"{plan.stack}_{g + 1}.mrcs" if many else f"{plan.stack}.mrcs" for g in range(len(plan.optics)))
    first = np.searchsorted(optics_index, np.arange(len(plan.optics)))
    return ImageRefs(stacks, optics_index, np.arange(plan.number) - first[optics_index])
