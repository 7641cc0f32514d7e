"""A small project with something to look at for each wizard, and what is true of it."""

import sys
from pathlib import Path

import numpy as np

from verglas.api import new_project, phantom, write_map
from verglas.io.micrographs_star import write_micrographs
from verglas.io.mrc import StackWriter
from verglas.io.pipeline_star import write_pipeline
from verglas.io.star_rows import text_column
from verglas.methods.ctffit import Aim, Lens
from verglas.testing.thon_rings import Scene
from verglas.testing.thon_rings import micrograph as with_rings
from verglas.types import Micrographs, OpticsGroup
from verglas.types.pipeline import Node, Pipeline, Process

sys.path.insert(0, str(Path(__file__).parents[1] / "methods" / "picking"))
from picking_fields import PIXEL, micrograph, molecule, places

DEFOCUS = 14000.0
DISC, BOX, STEP = 120.0, 48, 5.0
"""Diameter of the particles in Å, box, Å per pixel."""
CTF = "_rlnDefocusU\n_rlnDefocusV\n_rlnDefocusAngle\n"
GENERAL = "data_model_general\n\n_rlnPixelSize 5.0\n\n"
OPTICS = ("data_optics\n\nloop_\n_rlnOpticsGroup\n_rlnImagePixelSize\n_rlnImageSize\n_rlnMicrographPixelSize\n_rlnVoltage\n_rlnSphericalAberration\n"
          "_rlnAmplitudeContrast\n1 5.0 48 5.0 300 2.7 0.1\n\n")


def disc(diameter: float, box: int, pixel: float) -> np.ndarray:
    axis = np.arange(box) - box // 2
    return (np.hypot(axis[:, None], axis) * pixel <= diameter / 2).astype(np.float32)


def looked_project(folder: Path) -> Path:
    root = new_project(folder / "p").root
    for name in ("MotionCorr/job001", "Extract/job002", "Class2D/job003", "Import/job004"):
        (root / name).mkdir(parents=True)
        (root / name / "RELION_JOB_EXIT_SUCCESS").touch()
    _micrographs(root)
    _particles(root)
    write_map(root / "Import/job004/map.mrc", phantom(48, 4.0))
    made = {"MotionCorr/job001/micrographs.star": "MicrographGroupMetadata.star.relion",
            "Extract/job002/particles.star": "ParticleGroupMetadata.star.relion",
            "Class2D/job003/run_it005_data.star": "ParticleGroupMetadata.star.relion.class2d", "Import/job004/map.mrc": "DensityMap.mrc.relion"}
    kinds = {"MotionCorr": "motioncorr.own", "Extract": "extract", "Class2D": "class2d", "Import": "import.other"}
    jobs = [name.rpartition("/")[0] for name in made]
    write_pipeline(root / "default_pipeline.star", Pipeline(
        5, tuple(Process(one, f"relion.{kinds[one.partition('/')[0]]}", "Succeeded") for one in jobs), tuple(Node(*one) for one in made.items()),
        (("Extract/job002/particles.star", "Class2D/job003"),), tuple(zip(jobs, made))))
    return root


def _micrographs(root: Path) -> None:
    """Two with particles, and one with rings in a table of its own."""
    folder = root / "MotionCorr/job001"
    for number, name in enumerate(("a.mrc", "b.mrc")):
        image, _ = micrograph((500, 520), places((500, 520), 25, 60.0, 4 + number, 20.0), 1.2, 5 + number)
        with StackWriter(folder / name, PIXEL) as stack:
            stack.append(image[None])
    rings = OpticsGroup("rings", 1, 200.0, 2.7, 0.1, 1.6, 0, 0.8)
    with StackWriter(folder / "c.mrc", 1.6) as stack:
        stack.append(with_rings(Lens.of(rings), Aim(DEFOCUS), 1.6, 900, Scene(), 3)[None])
    with StackWriter(folder / "templates.mrcs", PIXEL) as stack:
        stack.append(molecule()[None])
    group = OpticsGroup("picks", 1, 300.0, 2.7, 0.1, PIXEL, 0, PIXEL)
    for table, optics, names in (("micrographs.star", group, ["a.mrc", "b.mrc"]), ("rings.star", rings, ["c.mrc"])):
        listed = text_column([f"MotionCorr/job001/{one}" for one in names])
        write_micrographs(folder / table, Micrographs((optics,), listed, np.zeros(len(names), dtype=int), {}))


def _particles(root: Path) -> None:
    """Discs in noise, and their averages without."""
    rng, one = np.random.default_rng(1), disc(DISC, BOX, STEP)
    with StackWriter(root / "Extract/job002/p.mrcs", STEP) as stack:
        stack.append((one + rng.normal(0, 1, (60, BOX, BOX))).astype(np.float32))
    rows = "".join(f"{k + 1:06d}@Extract/job002/p.mrcs 1 {1 + k % 2} 15000 15000 0\n" for k in range(60))
    table = f"{OPTICS}data_particles\n\nloop_\n_rlnImageName\n_rlnOpticsGroup\n_rlnClassNumber\n{CTF}{rows}"
    for name in ("Extract/job002/particles.star", "Class2D/job003/run_it005_data.star"):
        (root / name).write_text(table)
    with StackWriter(root / "Class2D/job003/run_it005_classes.mrcs", STEP) as stack:
        stack.append(np.stack([one, 2 * one + rng.normal(0, 0.02, one.shape)]).astype(np.float32))
    classes = "".join(f"{k:06d}@Class2D/job003/run_it005_classes.mrcs {share} 12.0\n" for k, share in ((1, 0.4), (2, 0.6)))
    (root / "Class2D/job003/run_it005_model.star").write_text(
        f"{GENERAL}data_model_classes\n\nloop_\n_rlnReferenceImage\n_rlnClassDistribution\n_rlnEstimatedResolution\n{classes}")
