"""RELION 3.1's numbers for kinds of jobs and files, beside the labels that RELION 4 and 5 use."""

from verglas.types.pipeline import State

STATES: tuple[State, ...] = ("Running", "Scheduled", "Succeeded", "Failed", "Aborted")
"""In the order of RELION 3.1's numbers."""
PROCESS_NUMBERS = {
    "relion.import": 0, "relion.motioncorr": 1, "relion.ctffind": 2, "relion.manualpick": 3, "relion.autopick": 4, "relion.extract": 5,
    "relion.select": 7, "relion.class2d": 8, "relion.class3d": 9, "relion.refine3d": 10, "relion.maskcreate": 12, "relion.joinstar": 13,
    "relion.subtract": 14, "relion.postprocess": 15, "relion.localres": 16, "relion.initialmodel": 18, "relion.multibody": 19,
    "relion.polish": 20, "relion.ctfrefine": 21, "relion.external": 99,
}
OTHER_PROCESS = 99
NODE_NUMBERS = {
    "MicrographMovieGroupMetadata": 0, "MicrographMoviesData": 0, "MicrographGroupMetadata": 1, "MicrographsData": 1,
    "MicrographCoordsGroup": 2, "MicrographsCoords": 2, "ParticleGroupMetadata": 3, "ParticlesData": 3, "Image2DGroupMetadata": 5,
    "ImagesData": 5, "Image2DStack": 5, "DensityMap": 6, "Mask3D": 7, "ModelData": 8, "OptimiserData": 9, "Image3D": 12, "LogFile": 13,
    "ProcessData": 14, "ParamsData": 15,
}
NODE_LABELS = {
    0: "MicrographMovieGroupMetadata.star.relion", 1: "MicrographGroupMetadata.star.relion", 2: "MicrographCoordsGroup.star.relion",
    3: "ParticleGroupMetadata.star.relion", 4: "ParticleGroupMetadata.star.relion", 5: "Image2DGroupMetadata.star.relion",
    6: "DensityMap.mrc.relion", 7: "Mask3D.mrc.relion", 8: "ModelData.star.relion", 9: "OptimiserData.star.relion",
    10: "DensityMap.mrc.relion.halfmap", 11: "DensityMap.mrc.relion.postprocess", 12: "Image3D.mrc.relion.localresmap",
    13: "LogFile.pdf.relion", 14: "ProcessData.star.relion.postprocess", 15: "ParamsData.txt.relion.polish",
}
OTHER_NODE, OTHER_NODE_LABEL = 99, "Other"
HALF_MAP, FINAL_MAP = 10, 11


def process_number(label: str) -> int:
    """relion.class2d and relion.class2d.em -> 8; 99 (external) for what RELION 3.1 does not have."""
    return PROCESS_NUMBERS.get(".".join(label.split(".")[:2]), OTHER_PROCESS)


def process_label(number: int) -> str:
    return next((label for label, one in PROCESS_NUMBERS.items() if one == number), "relion.external")


def node_number(label: str) -> int:
    """The number for the first word of a label, with the halves and the sharpened maps apart."""
    kind, *rest = label.split(".")
    if kind == "DensityMap" and "halfmap" in rest:
        return HALF_MAP
    if kind == "DensityMap" and "postprocess" in rest:
        return FINAL_MAP
    return NODE_NUMBERS.get(kind, OTHER_NODE)


def node_label(number: int) -> str:
    return NODE_LABELS.get(number, OTHER_NODE_LABEL)
