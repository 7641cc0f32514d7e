"""class3d: several 3D references at once, with alignment."""

from math import radians
from pathlib import Path
from typing import TYPE_CHECKING

from verglas.errors import InputError
from verglas.jobs.classify_params import ClassifyParams
from verglas.jobs.spec import Context, Files, Job, Plan, option

if TYPE_CHECKING:
    from verglas.jobs.classify_door import ClassInputs
    from verglas.methods.classify.plan import ClassPlan


class Class3dParams(ClassifyParams):
    """Options of `verglas class3d`."""

    reference: Files = option(
        help="Starting map (MRC) of all classes, or one for each, or a STAR file that lists them (rlnReferenceImage).", relion="fn_ref")
    mask: Path | None = option(None, help="Soft solvent mask, values 0 to 1, on the grid of the particles.", relion="fn_mask")
    classes: int = option(4, help="Number of classes.", ge=1, le=100, relion="nr_classes")
    iterations: int = option(25, help="Iterations.", ge=1, le=999, relion="nr_iter")
    tau: float = option(4.0, help="Weight of the data against the prior.", gt=0, le=100, relion="tau_fudge")
    symmetry: str = option("C1", help="Point group: Cn, Dn, T, O, I1 to I4.", relion="sym_name")
    initial_lowpass: float = option(60.0, help="Low-pass filter of the starting maps.", unit="Å", gt=0, le=500, relion="ini_high")
    absolute_greyscale: bool = option(
        False, help="The starting maps have the grey scale of the particles; otherwise the first iteration compares by correlation.",
        relion="ref_correct_greyscale")
    healpix_order: int = option(2, help="Angular grid: steps of 60 degrees / 2^order, searched at half that step.", ge=0, le=6)
    local_search: float = option(
        0.0, help="Search only within three times this angle of the orientations in the STAR file; 0: everywhere.", unit="degrees", ge=0, le=60)
    relax_symmetry: str | None = option(
        None, help="With --local-search of C1 maps: also around the mates that this point group would make of each orientation.",
        relion="relax_sym", level="advanced")
    fast_subsets: bool = option(False, help="The first 15 iterations look at a part of the particles.", relion="do_fast_subsets")
    cross_validation: bool = option(
        True, help="Once classes have formed, compare each half of the particles with maps made from the other half, so that no particle is "
        "held in its class by its own noise.", level="advanced")
    padding: float = option(2.0, help="Oversampling of the Fourier transform of the maps.", ge=1, le=3, relion="pad", level="advanced")
    norm_correction: bool = option(True, help="Estimate each particle's contrast normalisation.", level="advanced")
    scale_correction: bool = option(True, help="Estimate the intensity scale of each group (micrograph).", level="advanced")


def references_of(params: Class3dParams) -> tuple[Path, ...]:
    """One map for all classes or one for each."""
    from verglas.jobs.doors import named_maps

    first, *more = params.reference
    if first.suffix == ".star" and not more:
        return named_maps(first, params.classes)
    if more and len(params.reference) != params.classes:
        raise InputError(f"{len(params.reference)} maps for --classes {params.classes}", where="--reference",
                         remedy=f"give one map, or --classes {len(params.reference)}")
    return params.reference


def class_plan(params: Class3dParams, inputs: "ClassInputs", seed: int) -> "ClassPlan":
    """The options in Å and radians."""
    from verglas.jobs.classify_door import search_plan
    from verglas.methods.classify.plan import ClassPlan, Em

    search = search_plan(
        params, inputs.images, seed, symmetry=params.symmetry, initial_lowpass=params.initial_lowpass,
        absolute_greyscale=params.absolute_greyscale, healpix_order=params.healpix_order, padding=params.padding,
        correct_norm=params.norm_correction, correct_scale=params.scale_correction, relaxed=params.relax_symmetry or "",
    )
    return ClassPlan(
        params.classes, params.iterations, params.tau, search, Em(params.fast_subsets), limit=params.limit_resolution,
        sigma=radians(params.local_search), cross=params.cross_validation and params.classes > 1)


def check_relaxed(params: Class3dParams) -> None:
    """Symmetry can only be relaxed in a local search without symmetry."""
    from verglas.core.symmetry import operators

    if params.relax_symmetry is None:
        return
    operators(params.relax_symmetry)
    if params.symmetry.upper() != "C1" or not params.local_search:
        raise InputError("--relax-symmetry needs --symmetry C1 and --local-search", remedy="give both, for example --local-search 2")


def check(params: Class3dParams, context: Context) -> Plan:
    from verglas.core.symmetry import operators
    from verglas.jobs.classify_door import check_classification, open_class_inputs

    operators(params.symmetry)
    check_relaxed(params)
    inputs = open_class_inputs(params.particles, references_of(params), params.mask)
    plan = class_plan(params, inputs, context.resources.seed)
    return check_classification(params, inputs, plan, context, plan.iterations)


def run(params: Class3dParams, context: Context) -> None:
    from verglas.jobs.classify_door import open_class_inputs
    from verglas.jobs.classify_run import classify

    inputs = open_class_inputs(params.particles, references_of(params), params.mask)
    classify(inputs, class_plan(params, inputs, context.resources.seed), context, params.keep_offsets)


JOB = Job(
    "class3d", "Class3D", "3D classes with alignment (with --fixed-poses: class3d-fixed).", Class3dParams, check, run, "relion.class3d",
    can_continue=True, parallel=True)
