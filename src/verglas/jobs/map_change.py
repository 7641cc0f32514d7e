"""map resize | crop | lowpass | symmetrise | flip-hand: one map in, one map out (map.mrc in the job folder)."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verglas.errors import InputError
from verglas.jobs.doors import open_map, volume_lines
from verglas.jobs.spec import Context, Job, JobParams, Plan, option

if TYPE_CHECKING:
    from verglas.types import Map


class MapParams(JobParams):
    """What every change of a map starts from."""

    map: Path = option(help="Map to change (MRC).")


class ResizeParams(MapParams):
    """Options of `verglas map resize`."""

    box: int | None = option(None, help="New box; alone: the same field of view in that many voxels.", unit="px", ge=2,
                             le=4096)
    pixel_size: float | None = option(
        None, help="New pixel size; alone: in the nearest even box; with --box: cropped or filled to it.", unit="Å",
        gt=0, le=100)


class CropParams(MapParams):
    """Options of `verglas map crop`."""

    box: int = option(help="New box around the centre; a larger one is filled with --fill.", unit="px", ge=2, le=4096)
    fill: float = option(0.0, help="Density outside the old box.")


class LowpassParams(MapParams):
    """Options of `verglas map lowpass`."""

    resolution: float = option(help="Half amplitude at this resolution.", unit="Å", gt=0, le=1000)
    edge: float = option(2.0, help="Width of the raised-cosine edge.", unit="Fourier shells", ge=0, le=100)


class SymmetriseParams(MapParams):
    """Options of `verglas map symmetrise`."""

    symmetry: str = option(help="Point group: C1, Cn, Dn, T, O, I1 to I4, axes as in RELION.")


class FlipParams(MapParams):
    """Options of `verglas map flip-hand`."""


def resize(params: ResizeParams) -> "Map":
    from verglas.io.mrc import read_map
    from verglas.methods import mapops

    return mapops.resize(read_map(params.map), params.box, params.pixel_size)


def crop(params: CropParams) -> "Map":
    from verglas.io.mrc import read_map
    from verglas.methods import mapops

    return mapops.crop(read_map(params.map), params.box, params.fill)


def lowpass(params: LowpassParams) -> "Map":
    from verglas.io.mrc import read_map
    from verglas.methods import mapops

    return mapops.lowpass_map(read_map(params.map), params.resolution, params.edge)


def symmetrise(params: SymmetriseParams) -> "Map":
    from verglas.io.mrc import read_map
    from verglas.methods import mapops

    return mapops.symmetrise(read_map(params.map), params.symmetry)


def flip_hand(params: FlipParams) -> "Map":
    from verglas.io.mrc import read_map
    from verglas.methods import mapops

    return mapops.flip_hand(read_map(params.map))


def check(params: MapParams, context: Context) -> Plan:
    volume = open_map(params.map)
    if isinstance(params, ResizeParams) and params.box is None and params.pixel_size is None:
        raise InputError("neither --box nor --pixel-size given", remedy="give at least one of them")
    if isinstance(params, SymmetriseParams):
        from verglas.core.symmetry import operators

        operators(params.symmetry)
    return Plan(volume_lines(volume.box, volume.pixel_size, working=6, written=1))


def _job(name: str, summary: str, params: type[MapParams], change: Callable[[Any], "Map"]) -> Job:
    def run(given: MapParams, context: Context) -> None:
        from verglas.io.mrc import write_map

        result = change(given)
        write_map(context.output / "map.mrc", result)
        context.log(f"map.mrc: {result.box} px at {result.pixel_size:.4f} Å")

    return Job(f"map {name}", "Map", summary, params, check, run)


RESIZE = _job("resize", "Another box or pixel size by Fourier interpolation.", ResizeParams, resize)
CROP = _job("crop", "Another box around the centre, voxels unchanged.", CropParams, crop)
LOWPASS = _job("lowpass", "Remove what is finer than a resolution.", LowpassParams, lowpass)
SYMMETRISE = _job("symmetrise", "Average over a point group.", SymmetriseParams, symmetrise)
FLIP_HAND = _job("flip-hand", "The mirror image.", FlipParams, flip_hand)
