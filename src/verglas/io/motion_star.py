"""The STAR file of one movie that motion correction writes and polishing reads, in the layout of RELION 3.1 to 5."""

from pathlib import Path

import numpy as np

from verglas.errors import DataError
from verglas.io import labels as L
from verglas.io.star import Table, read_star, write_star
from verglas.io.star_columns import Source, block_of, require_values
from verglas.types.motion import MotionTrack, PatchTracks

SIZE = ("rlnImageSizeX", "rlnImageSizeY", "rlnImageSizeZ")
SHIFT = ("rlnMicrographShiftX", "rlnMicrographShiftY")
XY = ("rlnCoordinateX", "rlnCoordinateY")
FRAME, INDEX, COEFFICIENT = "rlnMicrographFrameNumber", "rlnMotionModelCoeffsIdx", "rlnMotionModelCoeff"
BINNING, VERSION = "rlnMicrographBinning", "rlnMotionModelVersion"
UNBINNED = "verglasLocalModelUnbinned"
"""1: the local model is in unbinned pixels, as the global shifts are. Without it, as RELION writes it, in binned ones."""
UNOBSERVED = -9999.0
CUBIC, COEFFICIENTS = 1, 36


def read_motion(path: Path | str) -> MotionTrack:
    """The track of one movie; a local model in binned pixels is brought to unbinned ones."""
    tables, name = read_star(path), str(path)
    general = block_of(tables, "general", name)
    require_values(general, (*SIZE, L.MOVIE_NAME, L.ORIGINAL_PIXEL_SIZE))

    def number(label: str, default: float | None = None) -> float:
        return float(general.numbers(label, default)[0])

    def text(label: str) -> str:
        return str(general.texts(label, "")[0])

    size = [int(number(label)) for label in SIZE]
    binning = number(BINNING, 1.0)
    local = _local(tables, name) if number(VERSION, 0.0) == CUBIC else None
    if local is not None and not number(UNBINNED, 0.0):
        local = local * binning
    return MotionTrack(
        movie=text(L.MOVIE_NAME), shape=(size[1], size[0]), frames=size[2], shifts=_global(tables, name), pixel_size=number(L.ORIGINAL_PIXEL_SIZE),
        voltage_kv=number("rlnVoltage", 300.0), dose_rate=number(L.DOSE_RATE, 0.0), binning=binning, local=local,
        pre_exposure=number("rlnMicrographPreExposure", 0.0), first_frame=int(number("rlnMicrographStartFrame", 1.0)) - 1,
        hot=_pairs(tables, name, "hot_pixels", XY).astype(np.int64), patches=_patches(tables, name), gain=text("rlnMicrographGainName"),
        defects=text("rlnMicrographDefectFile"), eer_upsampling=int(number("rlnEERUpsampling", 0.0)), eer_grouping=int(number("rlnEERGrouping", 0.0)),
    )


def _pairs(tables: dict[str, Table], name: str, block: str, labels: tuple[str, str]) -> np.ndarray:
    if block not in tables:
        return np.zeros((0, 2))
    source = Source(tables[block], name, block)
    return np.stack([source.numbers(label) for label in labels], axis=1)


def _global(tables: dict[str, Table], name: str) -> np.ndarray:
    """(F, 2), NaN where a frame was not observed."""
    source = block_of(tables, "global_shift", name)
    shifts = _pairs(tables, name, "global_shift", SHIFT)
    number = source.integers(FRAME)
    if len(number) == 0 or (np.diff(number) != 1).any():
        raise DataError("frame numbers do not follow one another", where=source.where, remedy="make the file again")
    shifts[(shifts <= UNOBSERVED).any(1)] = np.nan
    return shifts


def _local(tables: dict[str, Table], name: str) -> np.ndarray:
    """(2, 18)."""
    source = block_of(tables, "local_motion_model", name)
    index, value = source.integers(INDEX), source.numbers(COEFFICIENT)
    if sorted(index.tolist()) != list(range(COEFFICIENTS)):
        raise DataError(f"{len(index)} coefficients, expected those numbered 0 to {COEFFICIENTS - 1}", where=source.where,
                        remedy="run motion correction of this movie again")
    return value[np.argsort(index)].reshape(2, -1)


def _patches(tables: dict[str, Table], name: str) -> PatchTracks | None:
    if "local_shift" not in tables:
        return None
    frame = Source(tables["local_shift"], name, "local_shift").integers(FRAME)
    return PatchTracks(frame - 1, _pairs(tables, name, "local_shift", XY), _pairs(tables, name, "local_shift", SHIFT))


def write_motion(path: Path | str, track: MotionTrack) -> None:
    """Atomically; tables that would be empty are left out."""
    blocks = {"general": Table.of_values(_general(track))}
    shifts = np.where(np.isnan(track.shifts), UNOBSERVED, track.shifts)
    number = track.first_frame + 1 + np.arange(len(shifts))
    blocks["global_shift"] = Table({FRAME: number, SHIFT[0]: shifts[:, 0], SHIFT[1]: shifts[:, 1]})
    if track.local is not None:
        blocks["local_motion_model"] = Table({INDEX: np.arange(COEFFICIENTS), COEFFICIENT: track.local.reshape(-1)})
    if track.hot is not None and len(track.hot):
        blocks["hot_pixels"] = Table({label: track.hot[:, i].astype(np.float64) for i, label in enumerate(XY)})
    if track.patches is not None:
        one = track.patches
        columns = {FRAME: one.frame + 1} | {label: one.xy[:, i] for i, label in enumerate(XY)}
        blocks["local_shift"] = Table(columns | {label: one.shift[:, i] for i, label in enumerate(SHIFT)})
    write_star(path, blocks)


def _general(track: MotionTrack) -> dict[str, object]:
    values: dict[str, object] = {
        SIZE[0]: track.shape[1], SIZE[1]: track.shape[0], SIZE[2]: track.frames, L.MOVIE_NAME: track.movie,
        "rlnMicrographGainName": track.gain, "rlnMicrographDefectFile": track.defects, BINNING: float(track.binning),
        L.ORIGINAL_PIXEL_SIZE: float(track.pixel_size), L.DOSE_RATE: float(track.dose_rate),
        "rlnMicrographPreExposure": float(track.pre_exposure), "rlnVoltage": float(track.voltage_kv),
        "rlnMicrographStartFrame": track.first_frame + 1, "rlnEERUpsampling": track.eer_upsampling, "rlnEERGrouping": track.eer_grouping,
        VERSION: 0 if track.local is None else CUBIC,
    }
    if track.local is not None:
        values[UNBINNED] = 1
    absent = {"rlnMicrographGainName": "", "rlnMicrographDefectFile": "", "rlnEERUpsampling": 0, "rlnEERGrouping": 0}
    return {label: value for label, value in values.items() if label not in absent or value != absent[label]}
