"""A table of movies as import writes it."""

from collections.abc import Iterable

HEAD = """
data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographOriginalPixelSize #3
_rlnVoltage #4
_rlnSphericalAberration #5
_rlnAmplitudeContrast #6
opticsGroup1 1 2.0 300.0 2.7 0.1

data_movies

loop_
_rlnMicrographMovieName #1
_rlnOpticsGroup #2
"""


def movies_star(names: Iterable[str]) -> str:
    """movies.star of one optics group: 2 Å, 300 kV, Cs 2.7 mm."""
    return HEAD + "".join(f"{name} 1\n" for name in names)
