"""align-symmetry: a map made without symmetry turned into the standard frame of its point group."""

from pathlib import Path
from typing import TYPE_CHECKING

from verglas.errors import InputError
from verglas.jobs.doors import open_map, volume_lines
from verglas.jobs.spec import Context, Job, JobParams, Plan, option

if TYPE_CHECKING:
    from verglas.methods.align import SymmetryFrame


class AlignSymmetryParams(JobParams):
    """Options of `verglas align-symmetry`."""

    map: Path = option(help="Map without imposed symmetry, in any orientation (MRC).")
    symmetry: str = option(help="Point group that the particle has: Cn, Dn, T, O, I1 to I4, axes as in RELION.")
    recentre: bool = option(True, help="Bring the particle to the middle of the box; else its axes must already go through it.")
    average: bool = option(True, help="Average the turned map over the point group.")
    particles: Path | None = option(None, help="Particles the map was made from (STAR); their poses are turned with it.")
    resolution: float | None = option(None, help="Finest resolution to use; default an eighth of the particle's radius.", unit="Å",
                                      gt=0, le=500, level="advanced")
    radius: float | None = option(None, help="Radius of the particle; default from the density.", unit="Å", gt=0, level="advanced")


def check(params: AlignSymmetryParams, context: Context) -> Plan:
    from verglas.core.symmetry import operators

    volume = open_map(params.map)
    if len(operators(params.symmetry)) == 1:
        raise InputError("C1 is no symmetry: there are no axes to look for", where="--symmetry", remedy="give the particle's point group")
    if params.radius is not None and params.radius > 0.5 * volume.box * volume.pixel_size:
        raise InputError(f"--radius {params.radius:g} Å is more than half the box", where=str(params.map),
                         remedy=f"at most {0.5 * volume.box * volume.pixel_size:.0f} Å")
    warnings: tuple[str, ...] = ()
    if params.particles is not None:
        from verglas.io.particles_star import read_particles

        particles = read_particles(params.particles)
        if not particles.poses.angles.any():
            warnings = ("all angles of the particles are 0: were they the ones that made this map?",)
    return Plan(volume_lines(volume.box, volume.pixel_size, working=14, written=1), warnings)


def run(params: AlignSymmetryParams, context: Context) -> None:
    from verglas.io.mrc import read_map, write_map
    from verglas.methods import align, mapops

    source = read_map(params.map)
    frame = align.find_symmetry_axes(source, params.symmetry, recentre=params.recentre, resolution=params.resolution, radius=params.radius)
    tell(frame, params.symmetry.upper(), context)
    turned = align.rotate_map(source, frame.rotation, frame.shift)
    write_map(context.output / "aligned.mrc", mapops.symmetrise(turned, params.symmetry) if params.average else turned)
    if params.particles is not None:
        _write_turned(params.particles, frame, context)


def _write_turned(path: Path, frame: "SymmetryFrame", context: Context) -> None:
    """particles.star: the same particles with poses for the turned map."""
    from dataclasses import replace

    from verglas.io.particles_star import read_particles, write_particles
    from verglas.methods.align import turn_poses

    particles = read_particles(path)
    write_particles(context.output / "particles.star", replace(particles, poses=turn_poses(particles.poses, frame.rotation, frame.shift)))
    context.log(f"particles.star: the poses of {len(particles)} particles for aligned.mrc")


def tell(frame: "SymmetryFrame", name: str, context: Context) -> None:
    """What was found and how good it is, in the log, as an event, and a warning when the map does not seem to have this symmetry."""
    import numpy as np

    from verglas.units import DEGREE

    angle = np.arccos(np.clip((np.trace(frame.rotation) - 1) / 2, -1, 1)) / DEGREE
    x, y, z = frame.shift
    context.log(f"axes of {name} found {angle:.1f}° from the map's, centre at ({x:.1f}, {y:.1f}, {z:.1f}) Å from the middle of the box")
    context.log(
        f"correlation with the symmetry average at {frame.resolution:.0f} Å: {frame.with_average(frame.score):.3f}, before "
        f"{frame.with_average(frame.before):.3f}, in a random orientation {frame.with_average(frame.chance):.3f}"
    )
    context.log(
        f"correlation between symmetry mates: {frame.score:.3f} (the worst operator {frame.worst:.3f}), before {frame.before:.3f}, in a "
        f"random orientation {frame.chance:.3f}, in the next best frame {frame.runner_up:.3f}; FSC 0.5 between mates at {frame.holds_to:.1f} Å"
    )
    if not frame.convincing:
        context.warn(
            f"the map does not seem to have {name} symmetry: its symmetry mates correlate by {frame.score:.2f} only (random orientation "
            f"{frame.chance:.2f}, next best frame {frame.runner_up:.2f}, worst operator {frame.worst:.2f}). Look at the map without "
            "averaging (--no-average), or try a subgroup"
        )
    context.event(
        "symmetry", rotation=frame.rotation.ravel().tolist(), shift=frame.shift.tolist(), score=frame.score, worst=frame.worst,
        before=frame.before, chance=frame.chance, runner_up=frame.runner_up, resolution=frame.resolution,
        holds_to=float(frame.holds_to) if np.isfinite(frame.holds_to) else None, convincing=frame.convincing,
    )


JOB = Job("align-symmetry", "AlignSymmetry", "Turn a map made without symmetry into the frame of its point group.",
          AlignSymmetryParams, check, run)
