"""4-bit pixels, two to a byte, the low half first (MRC mode 101 and IMOD's packed TIFF)."""

import numpy as np


def unpack_nibbles(packed: np.ndarray) -> np.ndarray:
    """(..., n) uint8 -> (..., 2n) uint8 of 0 to 15."""
    pixels = np.empty((*packed.shape[:-1], 2 * packed.shape[-1]), dtype=np.uint8)
    pixels[..., 0::2] = packed & 0x0F
    pixels[..., 1::2] = packed >> 4
    return pixels
