"""Going on with a refinement of which only RELION's files exist: its options, and its state as far as the files hold it."""

import re
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from verglas.errors import InputError
from verglas.io.model_star import ModelStar, read_model
from verglas.io.mrc import read_map
from verglas.io.optimiser_star import read_optimiser
from verglas.io.particles_star import read_particles
from verglas.io.sampling_star import read_sampling
from verglas.io.star import Table, read_star
from verglas.jobs.refine3d_files import root_name
from verglas.types import Particles
from verglas.units import DEGREE

if TYPE_CHECKING:
    from verglas.methods.refine.plan import Plan
    from verglas.methods.refine.state import Alignment, Model, Sampling, Schedule, State


def last_iteration(folder: Path) -> int | None:
    """The last iteration whose optimiser, both models, sampling, data and maps are all there."""
    numbers = sorted(int(found.group(1)) for path in folder.glob("run_it*_optimiser.star") if (found := re.search(r"run_it(\d{3})_", path.name)))
    whole = [number for number in numbers if all((folder / name).exists() for name in _needed(number))]
    return whole[-1] if whole else None


def _needed(number: int) -> tuple[str, ...]:
    halves = (f"_half{half}_{what}" for half in (1, 2) for what in ("model.star", "class001.mrc"))
    return tuple(root_name(number) + rest for rest in ("_data.star", "_sampling.star", *halves))


def options_of_relion(folder: Path) -> dict[str, object]:
    """Parameters of refine3d from the last iteration of a RELION auto-refinement with split halves."""
    number = last_iteration(folder)
    if number is None:
        raise InputError("neither a job.json nor a complete iteration of RELION (run_itNNN_optimiser.star and the files it names)", where=str(folder),
                         remedy="give the folder of a Refine3D job")
    root = folder / root_name(number)
    options = read_optimiser(f"{root}_optimiser.star").values
    if not (options["rlnDoAutoRefine"] and options["rlnDoSplitRandomHalves"]):
        raise InputError("not a gold-standard auto-refinement", where=f"{root}_optimiser.star", remedy="start a new job from its map and particles")
    grids = read_sampling(f"{root}_sampling.star").general
    general = read_model(f"{root}_half1_model.star").general
    if _integer(general, "rlnNrClasses") != 1 or _integer(general, "rlnNrBodies", 1) != 1:
        raise InputError("several classes or bodies; refine3d refines one", where=f"{root}_half1_model.star")
    mask, join = str(options["rlnSolventMaskName"]), _number(options, "rlnJoinHalvesUntilThisResolution")
    return {
        "particles": Path(f"{root}_data.star"), "reference": Path(f"{root}_half1_class001.mrc"),
        "mask": None if mask in ("None", "") else Path(mask), "symmetry": str(grids["rlnSymmetryGroup"]),
        "mask_diameter": _number(options, "rlnParticleDiameter"), "healpix_order": _integer(grids, "rlnHealpixOrderOriginal", 2),
        "local_from_order": _integer(options, "rlnAutoLocalSearchesHealpixOrder"),
        "solvent_corrected_fsc": bool(_integer(options, "rlnDoSolventFscCorrection", 0)), "low_resolution_join": max(join, 0.0),
        "padding": _number(general, "rlnPaddingFactor"), "intact_first_peak": bool(options["rlnDoIgnoreCtfUntilFirstPeak"]),
        "norm_correction": bool(options["rlnDoCorrectNorm"]), "scale_correction": bool(options["rlnDoCorrectScale"]),
    }


def _number(values: Any, label: str) -> float:
    return float(values[label])


def _integer(values: Any, label: str, default: int = 0) -> int:
    return int(values.get(label, default))


def read_state(folder: Path, number: int, particles: Particles, plan: "Plan") -> "State":
    """The state after iteration `number`; `particles` are those of its data.star."""
    from verglas.methods.refine.state import State

    root = folder / root_name(number)
    options, grids = read_optimiser(f"{root}_optimiser.star").values, read_sampling(f"{root}_sampling.star").general
    files = [read_model(f"{root}_half{half}_model.star") for half in (1, 2)]
    rows = group_rows(Path(f"{root}_data.star"), particles, files[0].groups)
    maps = [read_map(f"{root}_half{half}_class001.mrc") for half in (1, 2)]
    shells = maps[0].box // 2 + 1
    models = [_model(file, volume.data, rows) for file, volume in zip(files, maps)]
    fsc = _column(files[0].class_shells[0], "rlnGoldStandardFsc", shells)
    extent = maps[0].box * maps[0].pixel_size
    return State(number, maps[0].box, maps[0].pixel_size, (models[0], models[1]), _alignment(Path(f"{root}_data.star")),
                 _sampling(grids, plan), _schedule(options, files[0], extent), fsc)


def group_rows(data: Path, particles: Particles, groups: Table) -> np.ndarray:
    """(Q,) row in RELION's group table of each of our scale groups; -1 where it has none."""
    table = read_star(data)["particles"]
    numbers = np.asarray(table["rlnGroupNumber"]) if "rlnGroupNumber" in table else particles.group + 1
    row_of = {int(number): row for row, number in enumerate(groups["rlnGroupNumber"])}
    first = np.unique(particles.group, return_index=True)
    found = np.full(len(particles.group_names), -1)
    for group, row in zip(*first):
        found[group] = row_of.get(int(numbers[row]), -1)
    return found


def _model(file: ModelStar, volume: np.ndarray, rows: np.ndarray) -> "Model":
    from verglas.methods.refine.state import Model

    shells, general, table = volume.shape[0] // 2 + 1, file.general, file.class_shells[0]
    scale = np.asarray(file.groups["rlnGroupScaleCorrection"], dtype=np.float64)
    tau2, ssnr, sigma2 = (_column(table, label, shells) for label in ("rlnReferenceTau2", "rlnSsnrMap", "rlnReferenceSigma2"))
    return Model(
        np.ascontiguousarray(volume, dtype=np.float32), np.stack([_noise(noise, shells) for noise in file.optics_groups]), tau2, ssnr, sigma2,
        np.where(rows >= 0, scale[rows], 1.0), np.asarray(file.pdf_orient[0], dtype=np.float64), _number(general, "rlnSigmaOffsetsAngst") ** 2,
        _number(general, "rlnNormCorrectionAverage"), _number(general, "rlnAveragePmax"), _number(general, "rlnLogLikelihood"),
    )


def _column(table: Table, label: str, shells: int) -> np.ndarray:
    """(S,) float64."""
    out = np.zeros(shells)
    values = np.asarray(table[label], dtype=np.float64)[:shells]
    out[: len(values)] = values
    return out


def _noise(table: Table, shells: int) -> np.ndarray:
    """(S,) sigma2; shells that are not in the file take their neighbour's value."""
    index = np.asarray(table["rlnSpectralIndex"], dtype=np.int64)
    nearest = np.clip(np.searchsorted(index, np.arange(shells), side="right") - 1, 0, None)
    return np.asarray(table["rlnSigma2Noise"], dtype=np.float64)[nearest]


def _alignment(data: Path) -> "Alignment":
    from verglas.methods.refine.state import Alignment

    particles = read_particles(data)
    labels = ("rlnMaxValueProbDistribution", "rlnNrOfSignificantSamples", "rlnLogLikeliContribution")
    pmax, significant, likelihood = (np.asarray(particles.extra.get(label, np.zeros(len(particles)))) for label in labels)
    return Alignment(particles.poses.angles, particles.poses.origin, particles.norm, pmax.astype(np.float64), significant.astype(np.int64),
                     likelihood.astype(np.float64))


def _sampling(grids: Any, plan: "Plan") -> "Sampling":
    from verglas.methods.refine import converge
    from verglas.methods.refine.state import Sampling

    order = _integer(grids, "rlnHealpixOrder")
    sigma = 2 * converge.fine_angle(order) if order >= plan.local_from_order else 0.0
    perturbation = float(grids.get("rlnSamplingPerturbInstance", 0.0))
    return Sampling(order, _number(grids, "rlnOffsetRange"), _number(grids, "rlnOffsetStep"), perturbation, sigma)


def _schedule(options: Any, model: ModelStar, extent: float) -> "Schedule":
    """The counters; whether the sampling is fine enough is found out again in the next iteration."""
    from verglas.methods.refine.state import Changes, Schedule

    changes = {name: Changes(_number(options, f"rln{name}Orientations") * DEGREE, _number(options, f"rln{name}Offsets"))
               for name in ("ChangesOptimal", "SmallestChanges")}
    return Schedule(
        resolution_shell=round(extent / _number(model.general, "rlnCurrentResolution")),
        current_size=2 * ceil(_number(model.general, "rlnCurrentImageSize") / 2), increment=_integer(options, "rlnIncrementImageSize"),
        high_fsc_at_limit=bool(options["rlnHasHighFscAtResolLimit"]), without_gain=_integer(options, "rlnNumberOfIterWithoutResolutionGain"),
        without_change=_integer(options, "rlnNumberOfIterWithoutChangingAssignments"), smallest=changes["SmallestChanges"],
        last=changes["ChangesOptimal"], accuracy_angle=_number(options, "rlnOverallAccuracyRotations") * DEGREE,
        accuracy_offset=_number(options, "rlnOverallAccuracyTranslationsAngst"),
    )
