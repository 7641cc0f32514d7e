"""class3d-fixed: 3D classification of particles whose poses are known and stay as they are."""

from pathlib import Path
from typing import Literal

from verglas.jobs.spec import Context, Job, JobParams, Plan, option


class Class3dFixedParams(JobParams):
    """Options of `verglas class3d-fixed`."""

    particles: Path = option(help="Particle STAR file with poses (run_data.star of a refinement).", relion="fn_img")
    classes: int = option(2, help="Number of classes.", ge=1, le=100, relion="nr_classes")
    target_resolution: float = option(8.0, help="Nothing finer is compared: as coarse as still shows the change.", unit="Å", gt=0, le=100,
                                      relion="highres_limit")
    coarsest_resolution: float | None = option(
        None, help="Nothing coarser is compared: backgrounds differ there; without it 75 % of the mask diameter.", unit="Å", gt=0, level="advanced")
    mask: Path | Literal["auto"] | None = option(
        None, help="Solvent mask, values 0 to 1, on the grid of the particles; auto: made wide from the map of all particles; without it a "
        "sphere, which also shows rare domains that the map of all does not.", relion="fn_mask")
    focus_mask: Path | None = option(None, help="Classes may differ only within this mask (values 0 to 1); outside they share the consensus map.")
    mask_diameter: float | None = option(
        None, help="Diameter of the circular image mask; without it 90 % of the box.", unit="Å", gt=0, relion="particle_diameter")
    symmetry: str = option("C1", help="Point group of every class: Cn, Dn, T, O, I1 to I4; C1 for symmetry-expanded particles.", relion="sym_name")
    start: Literal["pca", "random"] = option(
        "pca", help="First maps. pca: principal components of many reconstructions, particles clustered along them; random: of random subsets.",
        choices=("pca", "random"))
    initial_maps: Path | None = option(
        None, help="First maps instead: a STAR file with one map per row (rlnReferenceImage), for example a run_model.star.", relion="fn_ref")
    initial_lowpass: float = option(20.0, help="Low-pass filter of the first maps.", unit="Å", gt=0, le=500, relion="ini_high")
    start_particles: int = option(1000, help="Particles of each reconstruction that first maps are made from.", ge=10, le=100000, level="advanced")
    start_reconstructions: int = option(100, help="Reconstructions of --start pca.", ge=3, le=1000, level="advanced")
    start_components: int = option(2, help="Principal components of --start pca; at least one less than there are classes.", ge=1, le=50,
                                   level="advanced")
    batch: int = option(1000, help="Particles per class of a batch of the first, fast iterations.", ge=10, le=1000000)
    epochs: float = option(2.0, help="How often the fast iterations go through the particles; 0: none of them.", ge=0, le=100)
    learning_rate: float = option(0.4, help="Weight of the first batches against what is known; lower keeps classes more diverse.", gt=0, le=1)
    half_life: float = option(50.0, help="The learning rate halves after this share of the fast iterations.", unit="%", gt=0, le=1000)
    class_similarity: float = option(
        0.5, help="This share of every particle counts for all classes at first; falls to 0 within half of the fast iterations.", ge=0, lt=1)
    hard: bool = option(False, help="Every particle counts for its best class only.")
    scale: Literal["optimal", "input", "none"] = option(
        "optimal", help="Intensity of each particle. optimal: estimated; input: rlnCtfScalefactor of the file; none: all 1.",
        choices=("optimal", "input", "none"))
    max_iterations: int = option(25, help="No more full iterations than this.", ge=1, le=999, relion="nr_iter")
    stop_switches: float = option(2.0, help="The end when fewer particles than this change class.", unit="%", ge=0, le=100)
    stop_density: float | None = option(
        None, help="Also needed for the end: RMS change of the maps over the RMS of the consensus below this, twice in a row (0.01 is usual).", gt=0)
    padding: float = option(2.0, help="Oversampling of the Fourier transform of the maps.", ge=1, le=3, relion="pad", level="advanced")
    intact_first_peak: bool = option(False, help="No CTF correction before its first peak.", relion="ctf_intact_first_peak", level="advanced")
    skip_image_checks: bool = option(False, help="Go on although the particles look unnormalised or dark.", level="advanced")


def check(params: Class3dFixedParams, context: Context) -> Plan:
    from verglas.jobs.class3d_fixed_check import check_inputs

    return check_inputs(params, context)


def run(params: Class3dFixedParams, context: Context) -> None:
    from verglas.jobs.class3d_fixed_run import classify

    classify(params, context)


JOB = Job(
    "class3d-fixed", "Class3D", "3D classes of particles whose poses stay as they are.", Class3dFixedParams, check, run,
    can_continue=True, parallel=True,
)
