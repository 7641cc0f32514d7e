"""EER movies made from lists of electrons: an encoder that shares nothing with the decoder."""

import struct
from pathlib import Path

import numpy as np

LEGACY_FOOTER = b"ThermoFisherECComprOK000"


def encode_frame(electrons: np.ndarray, pixels: int, run_bits: int = 7, x_bits: int = 2, y_bits: int = 2, symbol_always: bool = False) -> bytes:
    """electrons (n, 3): pixel number (increasing), x and y within the pixel from its corner (0 to 2**bits - 1) -> the bytes of one frame."""
    where, x, y = np.asarray(electrons, dtype=np.int64).reshape(-1, 3).T
    longest = 2**run_bits - 1
    gaps = np.diff(np.r_[-1, where, pixels]) - 1
    signed_x, signed_y = x - 2**x_bits // 2, y - 2**y_bits // 2
    symbols = np.r_[signed_x % 2**x_bits + signed_y % 2**y_bits * 2**x_bits, 0]
    words = gaps // longest + 1  # the last word of a gap is not the longest run, and its symbol is the electron
    values = np.full(words.sum(), longest)
    values[np.cumsum(words) - 1] = gaps % longest + symbols * 2**run_bits
    lengths = np.full(len(values), run_bits + (x_bits + y_bits) * symbol_always)
    lengths[np.cumsum(words) - 1] = run_bits + x_bits + y_bits
    place = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    bits = np.repeat(values, lengths) >> place & 1
    return np.packbits(bits.astype(np.uint8), bitorder="little").tobytes()


def random_electrons(rng: np.random.Generator, pixels: int, rate: float, x_bits: int = 2, y_bits: int = 2) -> np.ndarray:
    """(n, 3) electrons, each pixel hit with probability `rate`."""
    where = np.flatnonzero(rng.random(pixels) < rate)
    return np.stack([where, rng.integers(0, 2**x_bits, len(where)), rng.integers(0, 2**y_bits, len(where))], axis=1)


def write_eer(
    path: Path, frames: list[bytes], shape: tuple[int, int], compression: int = 65001, tags: dict[int, int] | None = None, strips: int = 1,
    order: str = "<",
) -> None:
    """A BigTIFF file of one directory per frame, its data before it; `tags`: further integer tags; `strips`: data blocks per frame."""
    with path.open("wb") as handle:
        handle.write((b"II" if order == "<" else b"MM") + struct.pack(order + "HHHQ", 43, 8, 0, 0))
        pointer = 8
        for data in frames:
            cuts = np.linspace(0, len(data), strips + 1).astype(int)
            offsets, sizes = handle.tell() + cuts[:-1], np.diff(cuts)
            handle.write(data)
            arrays = {}
            for number, values in ((273, offsets), (279, sizes)):
                arrays[number] = handle.tell()
                handle.write(struct.pack(f"{order}{strips}Q", *values.tolist()))
            numbers = {256: shape[1], 257: shape[0], 258: 1, 259: compression, 262: 1, 277: 1, 278: -(-shape[0] // strips)} | (tags or {})
            here = handle.tell()
            handle.write(struct.pack(order + "Q", len(numbers) + 2))
            for number in sorted([*numbers, 273, 279]):
                if number in numbers:
                    handle.write(struct.pack(order + "HHQ", number, 4, 1) + struct.pack(order + "I", numbers[number]) + bytes(4))
                else:
                    value = int((offsets if number == 273 else sizes)[0]) if strips == 1 else arrays[number]
                    handle.write(struct.pack(order + "HHQQ", number, 16, strips, value))
            handle.write(bytes(8))
            end = handle.tell()
            handle.seek(pointer)
            handle.write(struct.pack(order + "Q", here))
            handle.seek(end)
            pointer = end - 8


def write_legacy_eer(path: Path, frames: list[bytes]) -> None:
    """The oldest form: data filled up to whole 8-byte words, the number of words, a footer; frame after frame."""
    with path.open("wb") as handle:
        for data in frames:
            words = -(-len(data) // 8)
            handle.write(data.ljust(8 * words, b"\0") + struct.pack("<Q", words) + LEGACY_FOOTER)
