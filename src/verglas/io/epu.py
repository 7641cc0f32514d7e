"""EPU's XML files beside the movies: where the beam was shifted to."""

import math
from pathlib import Path
from xml.etree import ElementTree

from verglas.errors import DataError, InputError


def read_beam_shift(path: Path) -> tuple[float, float]:
    """(x, y) of <BeamShift> in EPU's own units."""
    try:
        root = ElementTree.parse(path).getroot()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path), remedy="check the path") from error
    except ElementTree.ParseError as error:
        raise DataError(f"not an XML file: {error}", where=str(path), remedy="copy it again from the microscope") from error
    shift = next((one for one in root.iter() if _local(one.tag) == "BeamShift"), None)
    found = {} if shift is None else {_local(one.tag): one.text for one in shift.iter()}
    try:
        x, y = float(found["_x"] or ""), float(found["_y"] or "")
    except (KeyError, ValueError):
        x = y = math.nan
    if not (math.isfinite(x) and math.isfinite(y)):
        raise DataError("no beam shift (microscopeData/optics/BeamShift with _x and _y)", where=str(path), remedy="give the XML files of EPU")
    return x, y


def _local(tag: str) -> str:
    """The name without its namespace, which differs between versions of EPU."""
    return tag.rpartition("}")[2]


def xml_of(name: str, files: dict[str, Path]) -> Path | None:
    """The XML file of a movie or micrograph: its name without extension, or without what programs append to it (_Fractions, _EER, ...).

    files: by their names without .xml.
    """
    stem = Path(name).name.partition(".")[0]
    while stem:
        if stem in files:
            return files[stem]
        stem = stem.rpartition("_")[0]
    return None
