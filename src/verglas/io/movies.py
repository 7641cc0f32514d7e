"""Open a movie of any format as its frames, and read them ahead on several threads."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from verglas.errors import DataError, InputError
from verglas.types.frames import Frames

_MRC = (".mrc", ".mrcs", ".st")
_COMPRESSED = (".bz2", ".xz", ".zst")
_TIFF = (".tif", ".tiff")
_EER = (".eer", ".ecc")
FORMATS = (*_TIFF, *_MRC, *(mrc + packed for mrc in (".mrc", ".mrcs") for packed in _COMPRESSED), *_EER)

_MOST_PIXELS = 1 << 28


@dataclass(frozen=True)
class EerOptions:
    """grouping: hardware frames summed to one fraction (surplus ones at the end are left out); upsampling: 1 = detector pixels, 2 = half pixels."""

    grouping: int = 40
    upsampling: int = 1


def open_frames(path: Path, eer: EerOptions = EerOptions()) -> Frames:
    """The frames of a movie; `eer` matters for EER only."""
    frames = _opened(Path(path), eer)
    rows, columns = frames.shape
    if not 0 < rows * columns <= _MOST_PIXELS:
        raise DataError(f"frames of {columns} x {rows} pixels", where=str(path), remedy="the file is damaged: copy or make it again")
    return frames


def _opened(path: Path, eer: EerOptions) -> Frames:
    """By the end of the name; the readers check that the file is what its name says."""
    suffix = path.suffix.lower()
    if suffix in _TIFF:
        from verglas.io.tiff import TiffFrames

        return TiffFrames(path)
    if suffix in _MRC:
        from verglas.io.mrc_frames import MrcFrames

        return MrcFrames(path)
    if suffix in _COMPRESSED and path.with_suffix("").suffix.lower() in _MRC:
        from verglas.io.mrc_frames import CompressedMrcFrames

        return CompressedMrcFrames(path)
    if suffix in _EER:
        from verglas.io.eer import EerFrames

        return EerFrames(path, eer.grouping, eer.upsampling)
    raise InputError(f"a movie whose name ends in {path.suffix or 'nothing'}, expected one of {', '.join(FORMATS)}", where=str(path),
                     remedy="convert it, or give it the name that says what it is")


def read_ahead(frames: Frames, order: Iterable[int] | None = None, threads: int = 2, ahead: int = 4) -> Iterator[np.ndarray]:
    """The frames in `order` (default: all), decoded on `threads` threads.

    At most max(ahead, 2) frames exist at a time, the one in the hands of the caller included.
    """
    in_order_only = getattr(frames, "sequential", False)
    numbers = iter(range(frames.count) if order is None else order)
    pool = ThreadPoolExecutor(1 if in_order_only else threads, thread_name_prefix="frames")
    try:
        waiting = deque(pool.submit(frames.read, number) for number in islice(numbers, max(ahead - 1, 1)))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(frames.read, number) for number in islice(numbers, 1))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
