"""The files that a job hands on, by what they are."""

from dataclasses import dataclass
from pathlib import Path

from verglas.errors import InputError
from verglas.types.pipeline import Node


@dataclass(frozen=True)
class Outputs:
    """`nodes`: all of them, with RELION's labels. A property raises where the job hands on no such file."""

    root: Path
    job: str
    nodes: tuple[Node, ...]

    def __repr__(self) -> str:
        return f"Outputs({', '.join(one.name for one in self.nodes)})"

    @property
    def map(self) -> Path:
        """The first map that is no half map."""
        return self._one("map", [one for one in self._all("DensityMap") if "halfmap" not in one.type.split(".")])

    @property
    def maps(self) -> tuple[Path, ...]:
        """All maps but half maps: one for each class."""
        return tuple(self.root / one.name for one in self._all("DensityMap") if "halfmap" not in one.type.split("."))

    @property
    def half_maps(self) -> tuple[Path, ...]:
        return tuple(self.root / one.name for one in self._all("DensityMap") if "halfmap" in one.type.split("."))

    @property
    def mask(self) -> Path:
        return self._one("mask", self._all("Mask3D"))

    @property
    def particles(self) -> Path:
        return self._one("particles", self._all("ParticleGroupMetadata", "ParticlesData"))

    @property
    def micrographs(self) -> Path:
        return self._one("micrographs", self._all("MicrographGroupMetadata", "MicrographsData"))

    @property
    def movies(self) -> Path:
        return self._one("movies", self._all("MicrographMovieGroupMetadata", "MicrographMoviesData"))

    @property
    def coordinates(self) -> Path:
        return self._one("coordinates", self._all("MicrographCoordsGroup", "MicrographsCoords"))

    @property
    def model(self) -> Path:
        """The table of the classes."""
        return self._one("model", self._all("ModelData"))

    @property
    def optimiser(self) -> Path:
        return self._one("optimiser", self._all("OptimiserData", "ProcessData"))

    def _all(self, *kinds: str) -> list[Node]:
        return [one for one in self.nodes if one.type.partition(".")[0] in kinds]

    def _one(self, what: str, found: list[Node]) -> Path:
        if not found:
            there = ", ".join(one.name.rpartition("/")[2] for one in self.nodes)
            raise InputError(f"hands on no {what}" + (f"; it has {there}" if there else " (yet)"), where=self.job,
                             remedy="look at job.outputs.nodes, or wait until it has succeeded")
        return self.root / found[0].name
