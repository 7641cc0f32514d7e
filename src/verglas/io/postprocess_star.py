"""postprocess.star and its FSC curve as XML (the format that the PDB and EMDB take)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from verglas.errors import DataError, InputError
from verglas.io.atomic import atomic_path
from verglas.io.star import Table, read_star, write_star
from verglas.io.star_columns import Source, block_of, require_values

GENERAL = ("rlnFinalResolution", "rlnBfactorUsedForSharpening", "rlnUnfilteredMapHalf1", "rlnUnfilteredMapHalf2")
FSC = ("rlnSpectralIndex", "rlnResolution", "rlnAngstromResolution", "rlnFourierShellCorrelationCorrected")
GUINIER = ("rlnResolutionSquared", "rlnLogAmplitudesOriginal")


@dataclass(frozen=True)
class PostprocessStar:
    """general: label -> value; fsc: one row per shell; guinier: one row per shell (no rows where no plot was made)."""

    general: Mapping[str, object]
    fsc: Table
    guinier: Table


def read_postprocess(path: Path | str) -> PostprocessStar:
    """Read the three tables."""
    tables, name = read_star(path), str(path)
    general, fsc = block_of(tables, "general", name), block_of(tables, "fsc", name)
    require_values(general, GENERAL[:1])
    fsc.require(FSC)
    return PostprocessStar(general.table.values(), fsc.table, tables.get("guinier", Table({})))


def write_postprocess(path: Path | str, post: PostprocessStar, comment: str = "") -> None:
    """Write the three tables, atomically."""
    general = Table.of_values(dict(post.general))
    require_values(Source(general, str(path), "general"), GENERAL)
    Source(post.fsc, str(path), "fsc").require(FSC)
    blocks = {"general": general, "fsc": post.fsc}
    if post.guinier.columns:
        Source(post.guinier, str(path), "guinier").require(GUINIER)
        blocks["guinier"] = post.guinier
    write_star(path, blocks, comment)


def write_fsc_xml(path: Path | str, resolution: np.ndarray, fsc: np.ndarray, title: str) -> None:
    """A curve as EMDB's XML: resolution (S,) in 1/Å, fsc (S,)."""
    root = ElementTree.Element("fsc", title=title, xaxis="Resolution (A-1)", yaxis="Correlation Coefficient")
    for x, y in zip(resolution, fsc, strict=True):
        point = ElementTree.SubElement(root, "coordinate")
        ElementTree.SubElement(point, "x").text = f"{x:.6g}"
        ElementTree.SubElement(point, "y").text = f"{y:.6g}"
    ElementTree.indent(root)
    with atomic_path(Path(path)) as temporary:
        temporary.write_bytes(ElementTree.tostring(root, encoding="utf-8") + b"\n")


def read_fsc_xml(path: Path | str) -> tuple[np.ndarray, np.ndarray]:
    """(resolution in 1/Å (S,), FSC (S,))."""
    try:
        root = ElementTree.fromstring(Path(path).read_bytes())
        points = [(float(point.findtext("x", "")), float(point.findtext("y", ""))) for point in root.iter("coordinate")]
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path), remedy="check the path and its permissions") from error
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(f"not an FSC curve in XML: {error}", where=str(path), remedy="make the file again") from error
    curve = np.array(points, dtype=np.float64).reshape(-1, 2)
    return curve[:, 0], curve[:, 1]
