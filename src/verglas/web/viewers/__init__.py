"""Viewers of files: name -> function that draws one with NiceGUI, at /p/{key}/view/{name}?file=..."""

from collections.abc import Callable

from verglas.api.project import Project
from verglas.types.pipeline import Node
from verglas.web.viewers.details import ctf, motion
from verglas.web.viewers.scripts import classes, micrographs, particles, plots, volume
from verglas.web.viewers.table import table

VIEWERS: dict[str, Callable[[Project, str], None]] = {
    "volume": volume, "classes": classes, "particles": particles, "micrographs": micrographs, "ctf": ctf, "motion": motion, "plots": plots,
    "table": table,
}
BY_LABEL = {
    "MicrographGroupMetadata": ["micrographs", "table"], "MicrographsData": ["micrographs", "table"], "MicrographMovieGroupMetadata": ["table"],
    "MicrographMoviesData": ["table"], "MicrographCoordsGroup": ["micrographs", "table"], "MicrographsCoords": ["micrographs", "table"],
    "ParticleGroupMetadata": ["particles", "table", "micrographs"], "ParticlesData": ["particles", "table", "micrographs"],
    "Image2DStack": ["classes", "particles"], "ModelData": ["classes", "plots", "table"], "OptimiserData": ["plots", "table"],
    "ProcessData": ["plots", "table"], "DensityMap": ["volume"], "Mask3D": ["volume"], "Image3D": ["volume"],
}
BY_NAME = (
    ("micrographs_ctf.star", ["ctf", "micrographs", "table"]), ("corrected_micrographs.star", ["motion", "micrographs", "table"]),
    ("rank.star", ["classes", "table"]), ("run_optimiser.star", ["plots", "table"]),
    ("_model.star", ["classes", "plots", "table"]), ("_classes.mrcs", ["classes", "particles"]),
    ("_optimiser.star", ["classes", "plots", "table"]), ("_data.star", ["particles", "table"]), ("postprocess.star", ["plots", "table"]),
    ("fsc.star", ["plots", "table"]), ("particles.star", ["particles", "table", "micrographs"]), ("autopick.star", ["micrographs", "table"]),
    ("manualpick.star", ["micrographs", "table"]), ("micrographs.star", ["micrographs", "table"]), (".mrcs", ["particles"]), (".mrc", ["volume"]),
    (".map", ["volume"]), (".ccp4", ["volume"]), (".star", ["table"]),
)
TITLES = {"volume": "Map", "classes": "Classes", "particles": "Particles", "micrographs": "Micrographs", "ctf": "CTF", "motion": "Motion",
          "plots": "Curves", "table": "Table"}
"""What a button that opens the viewer says."""


def viewers_for(name: str) -> list[str]:
    """The viewers that fit a file, by its name in the project or by RELION's label of its kind; the best one first."""
    found = BY_LABEL.get(name.partition(".")[0]) if "/" not in name else None
    return list(found or next((fits for ending, fits in BY_NAME if name.endswith(ending)), []))


def viewers_of(node: Node) -> list[str]:
    """The viewers of a file that a job hands on. Its name says more than its label (micrographs_ctf.star), unless it is just any table."""
    named = viewers_for(node.name)
    return named if set(named) - {"table"} else viewers_for(node.type) or named
