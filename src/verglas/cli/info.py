"""`verglas map info`: files in words."""

from pathlib import Path

import numpy as np

from verglas.io.mrc import read_map
from verglas.io.mrc_header import read_header
from verglas.methods.mapops import map_info


def describe_map(path: Path) -> str:
    """A few lines about one file; for a stack or a single image only what its header says."""
    header = read_header(path)
    sections, rows, columns = header.shape
    first = f"{path}: {columns} x {rows} x {sections}, {header.pixel_size:.4f} Å, mode {header.mode} ({header.dtype})"
    if not sections == rows == columns:
        return first
    info = map_info(read_map(path))
    lines = [
        first,
        f"  density {info.minimum:.4g} to {info.maximum:.4g}, mean {info.mean:.4g}, sd {info.standard_deviation:.4g}",
        f"  origin {_place(info.origin)} Å, contrast {info.contrast}",
    ]
    if info.centre is not None and info.volume is not None:
        lines.append(f"  particle: centre {_place(info.centre)} Å from the middle of the box, "
                     f"radius of gyration {info.radius_of_gyration:.1f} Å, volume {info.volume:.0f} Å³")
    return "\n".join(lines)


def _place(xyz: tuple[float, float, float]) -> str:
    return "(" + ", ".join(f"{np.round(value, 1) + 0.0:g}" for value in xyz) + ")"
