"""Which files a finished job hands on, with RELION's labels, and which parameters take such files.

The runner writes the list as RELION_OUTPUT_NODES.star, where RELION and the project look for it.
"""

import re
from pathlib import Path

from verglas.types.pipeline import Node

FILE = "RELION_OUTPUT_NODES.star"
MOVIES, MICROGRAPHS = "MicrographMovieGroupMetadata.star.relion", "MicrographGroupMetadata.star.relion"
COORDINATES, PARTICLES = "MicrographCoordsGroup.star.relion", "ParticleGroupMetadata.star.relion"
MAP, HALF_MAP, MASK = "DensityMap.mrc.relion", "DensityMap.mrc.relion.halfmap", "Mask3D.mrc.relion"
AVERAGES = "Image2DGroupMetadata.star.relion.classaverages"
OPTIMISER, MODEL, PROCESS, CLASSES = "OptimiserData.star.relion", "ModelData.star.relion", "ProcessData.star.relion", "Image2DStack.mrcs.relion"

Rule = tuple[str, str]
"""(file name or pattern, label). Of run_it* the last iteration alone is meant; a file has the label of the first rule that fits."""


def _iterations(job: str, *images: Rule) -> tuple[Rule, ...]:
    return (("run_it*_data.star", f"{PARTICLES}.{job}"), ("run_it*_optimiser.star", f"{OPTIMISER}.{job}"), *images,
            ("run_it*_model.star", f"{MODEL}.{job}"))


_CLASS_MAPS = ("run_it*_class[0-9]*.mrc", f"{MAP}.class3d")
_IMPORTED = (("*half[12]*.mrc", HALF_MAP), ("*mask*.mrc", MASK), ("*.mrc", MAP), ("*.map", MAP), ("*.ccp4", MAP))
_CHANGED_MAP = (("map.mrc", MAP),)
RULES: dict[str, tuple[Rule, ...]] = {
    "import movies": (("movies.star", MOVIES),),
    "import micrographs": (("micrographs.star", MICROGRAPHS),),
    "import particles": (("particles.star", PARTICLES),),
    "import coordinates": (("coordinates.star", COORDINATES),),
    "import maps": _IMPORTED,
    "assign-optics": (("movies.star", MOVIES), ("micrographs.star", MICROGRAPHS), ("particles.star", PARTICLES)),
    "export cryosparc": (("particles.cs", "ParticleGroupMetadata.cs.cryosparc"),),
    "motioncorr": (("corrected_micrographs.star", f"{MICROGRAPHS}.motioncorr"),),
    "ctf": (("micrographs_ctf.star", f"{MICROGRAPHS}.ctf"),),
    "pick log": (("autopick.star", f"{COORDINATES}.autopick"),),
    "pick template": (("autopick.star", f"{COORDINATES}.autopick"),),
    "pick manual": (("manualpick.star", f"{COORDINATES}.manualpick"),),
    "extract": (("particles.star", PARTICLES), ("extractpick.star", f"{COORDINATES}.reextract")),
    "class2d": _iterations("class2d", ("run_it*_classes.mrcs", f"{CLASSES}.class2d")),
    "class3d": _iterations("class3d", _CLASS_MAPS),
    "class3d-fixed": _iterations("class3d", _CLASS_MAPS),
    "initialmodel": (("initial_model.mrc", f"{MAP}.initialmodel"), *_iterations("initialmodel")),
    "refine3d": (
        ("run_data.star", f"{PARTICLES}.refine3d"), ("run_optimiser.star", f"{OPTIMISER}.refine3d"), ("run_class001.mrc", f"{MAP}.refine3d"),
        ("run_half1_class001_unfil.mrc", f"{HALF_MAP}.refine3d"), ("run_half2_class001_unfil.mrc", f"{HALF_MAP}.refine3d"),
    ),
    "reconstruct": (("reconstruct.mrc", f"{MAP}.reconstruct"), ("reconstruct_half[12].mrc", f"{HALF_MAP}.reconstruct")),
    "mask": (("mask.mrc", MASK),),
    "postprocess": (("postprocess.mrc", f"{MAP}.postprocess"), ("postprocess_masked.mrc", f"{MAP}.postprocess.masked"),
                    ("postprocess.star", f"{PROCESS}.postprocess"), ("mask.mrc", MASK)),
    "rank-classes": (("particles.star", PARTICLES), ("rank.star", f"{PROCESS}.classrank"), ("ranked_model.star", f"{MODEL}.classrank")),
    "select": (("particles.star", PARTICLES), ("particles_split*.star", PARTICLES), ("micrographs.star", MICROGRAPHS),
               ("micrographs_split*.star", MICROGRAPHS), ("class_averages.star", AVERAGES)),
    "simulate particles": (("particles.star", PARTICLES), ("truth.star", PARTICLES), ("map.mrc", MAP)),
    "map resize": _CHANGED_MAP, "map crop": _CHANGED_MAP, "map lowpass": _CHANGED_MAP, "map symmetrise": _CHANGED_MAP,
    "map flip-hand": _CHANGED_MAP,
    "map fsc": (("fsc.star", f"{PROCESS}.fsc"),),
    "map align": (("aligned.mrc", MAP), ("fsc.star", f"{PROCESS}.fsc")),
    "align-symmetry": (("aligned.mrc", MAP), ("particles.star", PARTICLES)),
    "live": (),
}

ACCEPTED: dict[str, tuple[str, ...]] = {
    "movies": ("MicrographMovieGroupMetadata", "MicrographMoviesData"),
    "micrographs": ("MicrographGroupMetadata", "MicrographsData"),
    "coordinates": ("MicrographCoordsGroup", "MicrographsCoords"), "from_": ("MicrographCoordsGroup", "MicrographsCoords"),
    "particles": ("ParticleGroupMetadata", "ParticlesData"),
    "references": ("Image2DStack", "Image2DGroupMetadata", "ImagesData", "DensityMap"), "class_averages": ("Image2DStack",),
    "reference": ("DensityMap",), "map": ("DensityMap",), "map1": ("DensityMap",), "map2": ("DensityMap",), "initial_maps": ("DensityMap",),
    "half1": ("DensityMap",), "half2": ("DensityMap",), "mask": ("Mask3D",), "focus_mask": ("Mask3D",), "model": ("ModelData",),
    "poses": ("ParticleGroupMetadata", "ParticlesData"),
    "input": ("MicrographMovieGroupMetadata", "MicrographGroupMetadata", "ParticleGroupMetadata"),
}
"""Parameter -> first words of the labels of the files that it takes. The halves of a map are offered to half1 and half2 alone."""


def accepts(parameter: str, node: Node) -> bool:
    """Whether a file is of the kind that this parameter takes."""
    kind, *rest = node.type.split(".")
    return kind in ACCEPTED.get(parameter, ()) and (kind != "DensityMap" or ("halfmap" in rest) == (parameter in ("half1", "half2")))


def outputs_of(job: str, folder: Path, named: str) -> tuple[Node, ...]:
    """The files in `folder` that a finished `job` hands on; `named`: the folder as the project calls it."""
    found: dict[str, str] = {}
    for pattern, label in RULES[job]:
        for path in _last(sorted(folder.glob(pattern))):
            found.setdefault(path.name, label)
    return tuple(Node(f"{named}/{name}", label) for name, label in found.items())


def promised(job: str, named: str) -> tuple[Node, ...]:
    """The files whose names are known before the job has run; a job that waits for it can be given them."""
    return tuple(Node(f"{named}/{name}", label) for name, label in RULES[job] if not set(name) & set("*["))


def _last(paths: list[Path]) -> list[Path]:
    """Those of the last iteration, all of them where they belong to none."""
    numbers = [int(found[1]) if (found := re.match(r"run_it(\d+)_", path.name)) else -1 for path in paths]
    return [path for path, number in zip(paths, numbers) if number == max(numbers)]
