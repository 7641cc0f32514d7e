"""The pixels of particles by row: sorted reads from many stacks, one block ahead in the background, in memory where they fit."""

import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np

from verglas.errors import InputError
from verglas.io.mrc import MrcStack, decode
from verglas.types import Particles

OPEN_FILES = 64


@dataclass(frozen=True)
class _Kept:
    """Images of one stack in the file's own type: raw (m, image_bytes) uint8 and which of them have been read (m,)."""

    raw: np.ndarray
    have: np.ndarray


class ImageSource:
    """Images of particles. With `cache_bytes`, and if all images fit in them, each image is read from disk only once.

    `seconds_waiting`: how long the consumer of `batches` has waited for the disk.
    """

    def __init__(self, particles: Particles, root: Path | str, *, cache_bytes: int = 0, open_files: int = OPEN_FILES) -> None:
        self.root, self.open_files = Path(root), open_files
        self.seconds_waiting = 0.0
        self._particles = particles
        self._boxes = np.array([group.box for group in particles.optics])[particles.optics_index]
        self._open: OrderedDict[int, MrcStack] = OrderedDict()
        self._lock = Lock()
        self._kept: dict[int, _Kept] = {}
        self._slots = np.empty(0, dtype=np.int64)
        if cache_bytes:
            self._plan_cache(cache_bytes)

    def __len__(self) -> int:
        return len(self._particles)

    @property
    def cached(self) -> bool:
        """Whether images stay in memory once they have been read."""
        return bool(self._kept)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """(n, B, B) float32 of the rows (n,), in their order; all must have one box size. Safe to call from several threads."""
        rows = np.asarray(rows)
        boxes = self._boxes[rows]
        if not len(rows):
            return np.empty((0, 0, 0), dtype=np.float32)
        if (boxes != boxes[0]).any():
            raise InputError(f"images of {sorted(set(boxes.tolist()))} px in one block", where=str(self.root), remedy="read one box size at a time")
        out = np.empty((len(rows), boxes[0], boxes[0]), dtype=np.float32)
        stack, index = self._particles.images.stack[rows], self._particles.images.index[rows]
        order = np.lexsort((index, stack))
        cuts = np.flatnonzero(np.diff(stack[order])) + 1
        with self._lock:
            for places in np.split(order, cuts):
                out[places] = self._read_stack(int(stack[places[0]]), index[places], rows[places])
        return out

    def batches(self, blocks: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(rows, images) of each block of rows, while the next block is read in the background."""
        with ThreadPoolExecutor(1, thread_name_prefix="images") as reader:
            ahead = None
            for rows in blocks:
                following = rows, reader.submit(self.read, rows)
                if ahead is not None:
                    yield ahead[0], self._wait(ahead[1])
                ahead = following
            if ahead is not None:
                yield ahead[0], self._wait(ahead[1])

    def close(self) -> None:
        """Give all files back."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()

    def _wait(self, reading: "Future[np.ndarray]") -> np.ndarray:
        started = time.perf_counter()
        images = reading.result()
        self.seconds_waiting += time.perf_counter() - started
        return images

    def _stack(self, number: int) -> MrcStack:
        """The open stack; the one used longest ago is closed where too many are open."""
        if number in self._open:
            self._open.move_to_end(number)
            return self._open[number]
        while len(self._open) >= self.open_files:
            self._open.popitem(last=False)[1].close()
        self._open[number] = MrcStack(self.root / self._particles.images.stacks[number])
        return self._open[number]

    def _read_stack(self, number: int, index: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(n, B, B) of images `index` (n,) of one stack, wanted for particle rows `rows` (n,)."""
        stack = self._stack(number)
        if number not in self._kept:
            return stack.read(index)
        kept, slots = self._kept[number], self._slots[rows]
        missing = np.unique(slots[~kept.have[slots]])
        if len(missing):
            wanted = index[np.searchsorted(slots, missing)]
            kept.raw[missing] = stack.read_raw(wanted).reshape(len(missing), -1)
            kept.have[missing] = True
        return decode(kept.raw[slots].reshape(-1), len(slots), stack.header)

    def _plan_cache(self, cache_bytes: int) -> None:
        """Reserve memory for every image that some particle uses, if all fit."""
        images = self._particles.images
        used = np.unique(np.stack([images.stack, images.index], axis=1), axis=0)
        first = np.searchsorted(used[:, 0], np.arange(len(images.stacks) + 1))
        sizes = [self._stack(number).header.image_bytes if first[number] < first[number + 1] else 0 for number in range(len(images.stacks))]
        if sum(size * int(count) for size, count in zip(sizes, np.diff(first))) > cache_bytes:
            return
        place = np.empty(len(images.stack), dtype=np.int64)
        order = np.lexsort((images.index, images.stack))
        ordered = np.stack([images.stack, images.index], axis=1)[order]
        place[order] = np.cumsum(np.r_[0, (np.diff(ordered, axis=0) != 0).any(axis=1)])
        self._slots = place - first[images.stack]
        for number, count in enumerate(np.diff(first)):
            if count:
                self._kept[number] = _Kept(np.empty((count, sizes[number]), dtype=np.uint8), np.zeros(count, dtype=bool))
