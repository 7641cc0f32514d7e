"""Small particle sets with a known truth on disk, for tests of whole jobs."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from verglas.io.mrc import StackWriter, write_map
from verglas.io.particles_star import write_particles
from verglas.methods.simulate.design import Design, GivenPoses, UniformPoses, blind, design, optics_group
from verglas.methods.simulate.images import Noise, WhiteNoise, images
from verglas.types import Map, OpticsGroup, Particles, Poses

__all__ = ["GivenPoses", "ParticleSet", "UniformPoses", "blobs", "optics_group", "write_set"]


@dataclass(frozen=True)
class ParticleSet:
    """A project `folder` with particles.star (blind), truth.star (with poses and halves) and map.mrc."""

    folder: Path
    star: Path
    truth_star: Path
    map_file: Path
    truth: Particles
    volume: Map


def blobs(box: int = 32, pixel: float = 5.0, symmetry: str = "D2", seed: int = 1) -> Map:
    """Density of point group `symmetry` without other symmetry: Gaussians of sd 1.2 px within 0.3 box of the centre."""
    from verglas.core.symmetry import operators

    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(14, 3))
    centres *= (0.3 * box * rng.uniform(0.2, 1, 14) ** (1 / 3) / np.linalg.norm(centres, axis=1))[:, None]
    heights = rng.uniform(0.5, 1.5, 14)
    axis = np.arange(box) - box // 2
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    data = np.zeros((box,) * 3)
    for turn in operators(symmetry).numpy():
        for (cx, cy, cz), height in zip(centres @ turn.T, heights):
            data += height * np.exp(-((x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2) / (2 * 1.2**2))
    return Map(data.astype(np.float32), pixel)


def write_set(
    folder: Path, volume: Map, number: int, noise: Noise | None = None, optics: tuple[OpticsGroup, ...] = (), offset_sd: float = 5.0,
    seed: int = 1,
) -> ParticleSet:
    """Simulate `number` particles; default noise: white, SNR 0.5; default optics: one group on the grid of the map."""
    groups = optics or (optics_group(volume.pixel_size, volume.box),)
    plan = Design(number, groups, UniformPoses(offset_sd), per_micrograph=max(number // (2 * len(groups)), 1), seed=seed)
    truth = design(plan)
    truth = replace(truth, half=1 + np.arange(number) % 2)
    write_images(folder, volume, truth, noise or WhiteNoise(0.5), seed)
    write_particles(folder / "truth.star", truth)
    write_particles(folder / "particles.star", replace(blind(truth), half=truth.half))
    write_map(folder / "map.mrc", volume)
    return ParticleSet(folder, folder / "particles.star", folder / "truth.star", folder / "map.mrc", truth, volume)


def write_images(folder: Path, volume: Map, truth: Particles, noise: Noise, seed: int) -> None:
    """One float32 stack for each optics group."""
    blocks = list(images(volume, truth, noise, seed))
    for number, name in enumerate(truth.images.stacks):
        mine = [block for block in blocks if truth.images.stack[block.rows[0]] == number]
        group = truth.optics[truth.optics_index[mine[0].rows[0]]]
        with StackWriter(folder / name, group.pixel_size) as stack:
            for block in mine:
                stack.append(block.pixels)


def noise_only(folder: Path, number: int, box: int, pixel: float, seed: int = 1) -> ParticleSet:
    """Images that hold nothing but white noise of standard deviation 1, and a map that they know nothing of."""
    volume = blobs(box, pixel, "C1", seed)
    truth = design(Design(number, (optics_group(pixel, box),), per_micrograph=number, seed=seed))
    truth = replace(truth, half=1 + np.arange(number) % 2)
    rng = np.random.default_rng(seed)
    with StackWriter(folder / truth.images.stacks[0], pixel) as stack:
        stack.append(rng.standard_normal((number, box, box), dtype=np.float32))
    still = Poses(np.zeros((number, 3)), np.zeros((number, 2)))
    write_particles(folder / "particles.star", replace(truth, poses=still))
    write_map(folder / "map.mrc", volume)
    return ParticleSet(folder, folder / "particles.star", folder / "particles.star", folder / "map.mrc", truth, volume)
