"""Viewers of files: name -> function that draws one with NiceGUI, at /p/{key}/view/{name}?file=..."""

from collections.abc import Callable

from verglas.api.project import Project

VIEWERS: dict[str, Callable[[Project, str], None]] = {}


def viewers_for(name: str) -> list[str]:
    """The viewers that fit a file, by its name in the project or by RELION's label of its kind; the best one first."""
    kind = name.partition(".")[0]
    by_label = {
        "MicrographGroupMetadata": ["micrographs", "table"], "MicrographsData": ["micrographs", "table"],
        "MicrographMovieGroupMetadata": ["table"], "MicrographMoviesData": ["table"], "MicrographCoordsGroup": ["micrographs"],
        "MicrographsCoords": ["micrographs"], "ParticleGroupMetadata": ["particles", "table"], "ParticlesData": ["particles", "table"],
        "Image2DStack": ["classes"], "ModelData": ["classes", "table"], "OptimiserData": ["table"], "ProcessData": ["plots", "table"],
        "DensityMap": ["volume"], "Mask3D": ["volume"],
    }
    by_ending = {".mrcs": ["particles"], ".mrc": ["volume"], ".map": ["volume"], ".star": ["table"]}
    wanted = by_label.get(kind) or next((found for ending, found in by_ending.items() if name.endswith(ending)), [])
    return [one for one in wanted if one in VIEWERS]
