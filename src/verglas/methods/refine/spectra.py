"""Transforms of the particle images, computed once and kept while memory allows; only images whose whole-pixel shift changed are redone."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from verglas.methods.refine.images import Geometry, Mtf, Spectra, corrections, transform
from verglas.methods.refine.store import Exact, Half, Store, empty_store
from verglas.runtime.blocks import most, split
from verglas.runtime.stopwatch import Stopwatch

BLOCK = 4 << 20
"""Pixels of images that are transformed at once."""
Reader = Callable[[np.ndarray], np.ndarray]
"""Rows (n,) -> pixels (n, B, B) float32."""


@dataclass
class Cache:
    """Per image of one optics group: masked and whole transforms (n, P), power (n, S) and the shift (n, 2) they were made with."""

    masked: Store
    whole: Store
    power: Tensor
    shift: np.ndarray


class SpectraSource:
    """Spectra of the images of one optics group, on the band to Nyquist, made and kept on `device`."""

    def __init__(
        self, reader: Reader, rows: np.ndarray, full: Geometry, diameter: float, keep_bytes: int, mtf: Mtf | None = None, device: str = "cpu"
    ) -> None:
        self.reader, self.full, self.diameter, self.device = reader, full, diameter, device
        self.correction, self.there = corrections(full, mtf).to(device), full.to(device)
        self.row_of = {int(r): i for i, r in enumerate(rows)} if len(rows) * self.bytes_per_image <= keep_bytes else {}
        self.cache = self._empty(len(rows)) if self.row_of else None

    @property
    def bytes_per_image(self) -> int:
        return 2 * (Exact if self.device == "cpu" else Half).bytes_each * len(self.full.band) + 4 * len(self.full.band.shell_start)

    def _empty(self, n: int) -> Cache:
        pixels, shells = len(self.full.band), len(self.full.band.shell_start) - 1
        masked, whole = (empty_store(n, pixels, self.device) for _ in range(2))
        return Cache(masked, whole, torch.empty(n, shells, device=self.device), np.full((n, 2), np.iinfo(np.int64).min))

    def get(self, rows: np.ndarray, shift: np.ndarray, watch: Stopwatch, pixels: int | None = None) -> Spectra:
        """Transforms of `rows` after moving image i by shift[i] (n, 2) whole pixels, on the first `pixels` of the band (None: all)."""
        if self.cache is None:
            return self._make(rows, shift, watch, pixels)
        where = np.array([self.row_of[int(r)] for r in rows])
        stale = np.flatnonzero((self.cache.shift[where] != shift).any(1))
        for some in split(stale, most(BLOCK, self.full.group.box**2)):
            new, to = self._make(rows[some], shift[some], watch, None), torch.from_numpy(where[some]).to(self.device)
            self.cache.masked.put(to, new.masked)
            self.cache.whole.put(to, new.whole)
            self.cache.power[to] = new.power
            self.cache.shift[where[some]] = shift[some]
        with watch("prepare"):
            at = torch.from_numpy(where).to(self.device)
            centre = torch.from_numpy(shift) * self.full.pixel
            return Spectra(self.cache.masked.get(at, pixels), self.cache.whole.get(at, pixels), self.cache.power[at], centre)

    def _make(self, rows: np.ndarray, shift: np.ndarray, watch: Stopwatch, pixels: int | None) -> Spectra:
        n = len(self.full.band) if pixels is None else pixels
        shells = len(self.full.band.shell_start) - 1
        masked, whole = (torch.empty(len(rows), n, dtype=torch.complex64, device=self.device) for _ in range(2))
        out = Spectra(masked, whole, torch.empty(len(rows), shells, device=self.device), torch.from_numpy(shift) * self.full.pixel)
        for at in split(np.arange(len(rows)), most(BLOCK, self.full.group.box**2)):
            with watch("read"):
                images = torch.from_numpy(self.reader(rows[at])).to(self.device)
            with watch("prepare"):
                part = transform(images, torch.from_numpy(shift[at]).to(self.device), self.there, self.diameter, self.correction)
                to = slice(int(at[0]), int(at[-1]) + 1)
                out.masked[to], out.whole[to], out.power[to] = part.masked[:, :n], part.whole[:, :n], part.power
        return out
