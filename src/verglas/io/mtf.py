"""Modulation transfer functions of detectors."""

from pathlib import Path

import numpy as np

from verglas.errors import DataError, InputError
from verglas.io.star import read_star
from verglas.io.star_columns import Source

RESOLUTION, MTF = "rlnResolutionInversePixel", "rlnMtfValue"


def read_mtf(path: Path | str) -> tuple[np.ndarray, np.ndarray]:
    """(resolution (M,) in 1/pixel of the detector, rising; MTF (M,), 1 at zero)."""
    tables = read_star(path)
    named = [name for name, table in tables.items() if RESOLUTION in table]
    if not named:
        raise InputError(f"no table with a column _{RESOLUTION}", where=str(path), remedy="give an MTF file, for example mtf_k2_200kV.star")
    source = Source(tables[named[0]], str(path), named[0])
    resolution, values = source.numbers(RESOLUTION), source.numbers(MTF)
    falling = np.flatnonzero(np.diff(resolution) <= 0)
    if len(falling):
        raise DataError(f"_{RESOLUTION} does not rise", where=source.at_row(int(falling[0]) + 1), remedy="sort the rows by resolution")
    bad = np.flatnonzero((values <= 0) | (values > 1.5))
    if len(bad):
        raise DataError(f"_{MTF} is {values[bad[0]]:g}, expected a value between 0 and 1", where=source.at_row(int(bad[0])),
                        remedy="use the MTF curve of your detector")
    return resolution, values
