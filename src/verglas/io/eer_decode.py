"""The run-length code of one EER frame, compiled. Imports numba: only eer uses it.

A frame is a string of codes, lowest bit first: `run_bits` of empty pixels to step over, then (where an electron was found) `symbol_bits` that say
where in its pixel it hit. The largest run says that no electron follows yet.
"""

import numpy as np
from numba import int64, njit, uint64

_BAND = 1 << 19
"""Counts that stay in the cache while the frames are added to them."""


@njit(cache=True, nogil=True)
def add_electrons(
    words: np.ndarray, first: np.ndarray, bits: np.ndarray, code: tuple[int, int, bool], detector: tuple[int, int], scale: int,
    offsets: np.ndarray, counts: np.ndarray,
) -> np.ndarray:
    """Add F frames to counts; (F,) how many pixels each ran over: all of the detector if it is a good frame.

    words: the data of the frames as uint32, each from first (F,) on and bits (F,) long, and 3 words more (the decoder fetches ahead);
    code: run_bits, symbol_bits, whether a symbol follows the largest run too; detector (ny, nx); counts (ny * scale * nx * scale,), flat;
    offsets (2**symbol_bits,): steps from the first fine pixel of a detector pixel to the one that a symbol names.
    All frames advance together, a band of rows at a time, so that the counts in use stay in the cache.
    """
    run_bits, symbol_bits, always = code
    longest, symbol_mask = (1 << run_bits) - 1, (1 << symbol_bits) - 1
    width, pixels = detector[1], detector[0] * detector[1]
    row_step = width * scale * (scale - 1)
    band = max(_BAND // (width * scale * scale), 1) * width
    position, reached = np.zeros(len(first), np.int64), np.zeros(len(first), np.int64)
    for band_start in range(0, pixels, band):
        band_end = min(band_start + band, pixels)
        for frame in range(len(first)):
            base, limit, bit, n = first[frame], bits[frame], position[frame], reached[frame]
            row_end = band_start + width  # the pixel where the next row begins
            row_start = band_start // width * row_step  # the fine pixel where this row begins, less scale times its first pixel
            while n < band_end:
                word = base + (bit >> 5)
                chunk = int64((uint64(words[word]) | uint64(words[word + 1]) << uint64(32)) >> uint64(bit & 31))
                run = chunk & longest
                if bit + run_bits > limit:
                    break
                if n + run >= band_end:
                    if band_end == pixels:
                        n += run
                    break  # this code is read again in the next band
                if run == longest:
                    n += run
                    bit += run_bits + symbol_bits if always else run_bits
                    continue
                if bit + run_bits + symbol_bits > limit:
                    break
                n += run
                while n >= row_end:
                    row_end, row_start = row_end + width, row_start + row_step
                counts[row_start + n * scale + offsets[(chunk >> run_bits) & symbol_mask]] += 1
                bit, n = bit + run_bits + symbol_bits, n + 1
            position[frame], reached[frame] = bit, n
    return reached
