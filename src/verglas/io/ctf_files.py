"""What a CTF fit leaves beside the STAR file: a picture that RELION opens as name.ctf:mrc, and curves as CTFFIND writes them."""

from pathlib import Path

import numpy as np

from verglas.io.atomic import atomic_path
from verglas.io.mrc import StackWriter

AVROT = (
    "spatial frequency (1/Angstroms)", "rotational average of power over background - 1", "the same along lines of equal phase",
    "CTF fit", "correlation between spectrum and CTF fit", "2 sigma of the correlation of noise",
)


def write_picture(path: Path, picture: np.ndarray, pixel_size: float) -> None:
    """picture (N, N) as one MRC section."""
    with StackWriter(path, pixel_size) as stack:
        stack.append(picture[None])


def write_avrot(path: Path, curves: tuple[np.ndarray, ...], title: str) -> None:
    """Six lines of R numbers, in the order of AVROT, under comment lines."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as handle:
        handle.write(f"# {title}\n# 6 lines: " + "; ".join(f"#{i + 1} - {name}" for i, name in enumerate(AVROT)) + "\n")
        for curve in curves:
            handle.write(" ".join(f"{value:.6f}" for value in curve) + "\n")


def read_avrot(path: Path) -> np.ndarray:
    """(6, R)."""
    table: np.ndarray = np.loadtxt(path, ndmin=2)
    return table
