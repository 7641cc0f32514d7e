"""The types of jobs as a user meets them: stages from movies to map, and titles."""

from verglas.jobs.registry import ENTRIES
from verglas.types.pipeline import Process

STAGES: dict[str, tuple[str, ...]] = {
    "Import": ("import movies", "import micrographs", "import particles", "import coordinates", "import maps", "assign-optics"),
    "Micrographs": ("motioncorr", "ctf", "live"),
    "Picking": ("pick log", "pick template", "pick manual"),
    "Particles": ("extract", "select"),
    "2D": ("class2d", "rank-classes"),
    "3D": ("initialmodel", "class3d", "class3d-fixed", "refine3d", "reconstruct", "align-symmetry"),
    "Maps": ("mask", "postprocess", "map fsc", "map align", "map resize", "map crop", "map lowpass", "map symmetrise", "map flip-hand"),
    "Simulate and export": ("simulate particles", "export cryosparc"),
}
OTHER = "Other"
FOLDERS = {
    "Import": "Import",
    "AssignOptics": "Import",
    "MotionCorr": "Micrographs",
    "CtfFind": "Micrographs",
    "Live": "Micrographs",
    "AutoPick": "Picking",
    "ManualPick": "Picking",
    "Extract": "Particles",
    "Select": "Particles",
    "Subset": "Particles",
    "Class2D": "2D",
    "ClassRanking": "2D",
    "InitialModel": "3D",
    "Class3D": "3D",
    "Refine3D": "3D",
    "Reconstruct": "3D",
    "AlignSymmetry": "3D",
    "MaskCreate": "Maps",
    "PostProcess": "Maps",
    "Map": "Maps",
    "LocalRes": "Maps",
    "Simulate": "Simulate and export",
    "Export": "Simulate and export",
    "CtfRefine": "3D",
    "Polish": "Particles",
    "Subtract": "Particles",
    "JoinStar": "Particles",
}
"""Folder of a job type -> its stage; RELION's too."""
TITLES = {
    "import movies": "Import movies",
    "import micrographs": "Import micrographs",
    "import particles": "Import particles",
    "import coordinates": "Import coordinates",
    "import maps": "Import maps",
    "assign-optics": "Assign optics groups",
    "motioncorr": "Motion correction",
    "ctf": "CTF estimation",
    "live": "Live processing",
    "pick log": "Pick by size",
    "pick template": "Pick with templates",
    "pick manual": "Import and merge picks",
    "extract": "Extract particles",
    "select": "Select a subset",
    "class2d": "2D classification",
    "rank-classes": "Rank 2D classes",
    "initialmodel": "Initial model",
    "class3d": "3D classification",
    "class3d-fixed": "3D classification, poses fixed",
    "refine3d": "3D refinement",
    "reconstruct": "Reconstruct",
    "align-symmetry": "Align symmetry",
    "mask": "Mask",
    "postprocess": "Postprocess",
    "map fsc": "Compare two maps (FSC)",
    "map align": "Align maps",
    "map resize": "Resize a map",
    "map crop": "Crop a map",
    "map lowpass": "Low-pass filter a map",
    "map symmetrise": "Symmetrise a map",
    "map flip-hand": "Flip the hand of a map",
    "simulate particles": "Simulate particles",
    "export cryosparc": "Export for cryoSPARC",
}


def title(job: str) -> str:
    """refine3d -> 3D refinement."""
    return TITLES.get(job, job.replace("-", " ").capitalize())


def tree() -> dict[str, tuple[str, ...]]:
    """Stage -> job types; one that no stage knows stands under Other."""
    known = {one for jobs in STAGES.values() for one in jobs}
    found = {stage: tuple(one for one in jobs if one in ENTRIES) for stage, jobs in STAGES.items()}
    rest = tuple(one for one in ENTRIES if one not in known)
    return found | ({OTHER: rest} if rest else {})


def stage_of(process: Process) -> str:
    """The stage of a job of a project."""
    return FOLDERS.get(process.name.partition("/")[0], OTHER)


def found_types(text: str) -> list[str]:
    """The job types whose title, name or summary has all words of the text."""
    wanted = text.lower().split()
    return [one for one, entry in ENTRIES.items() if all(word in f"{one} {title(one)} {entry.summary}".lower() for word in wanted)]
