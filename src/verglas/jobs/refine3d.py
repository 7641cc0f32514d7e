"""refine3d: gold-standard refinement of one structure from particles and a starting map."""

from pathlib import Path

from verglas.jobs.spec import Context, Job, JobParams, Plan, option


class Refine3dParams(JobParams):
    """Options of `verglas refine3d`."""

    particles: Path = option(help="Particle STAR file (RELION 3.0 to 5); half sets are kept, angles are not used.", relion="fn_img")
    reference: Path = option(help="Starting map (MRC); brought to the box and pixel size of the particles.", relion="fn_ref")
    mask: Path | None = option(None, help="Soft solvent mask, values 0 to 1, on the grid of the particles.", relion="fn_mask")
    symmetry: str = option("C1", help="Point group: Cn, Dn, T, O, I1 to I4.", relion="sym_name")
    mask_diameter: float | None = option(
        None, help="Diameter of the circular image mask; without it 90 % of the box.", unit="Å", gt=0,
        relion="particle_diameter")
    initial_lowpass: float = option(60.0, help="Low-pass filter of the starting map.", unit="Å", gt=0, le=500, relion="ini_high")
    absolute_greyscale: bool = option(
        False, help="The starting map has the grey scale of the particles (made from them); otherwise the first iteration "
        "compares by correlation.", relion="ref_correct_greyscale")
    healpix_order: int = option(
        2, help="First angular grid: steps of 60 degrees / 2^order, searched at half that step.", ge=0, le=6)
    local_from_order: int = option(
        4, help="From this order on, search only around each particle's last orientation.", ge=1, le=9)
    offset_range: float = option(5.0, help="First translational search: up to this far.", unit="px", gt=0, le=100,
                                 relion="offset_range")
    offset_step: float = option(1.0, help="First translational search: fine step.", unit="px", gt=0, le=20,
                                relion="offset_step")
    solvent_corrected_fsc: bool = option(
        False, help="FSC of the masked half maps, corrected for the mask by phase randomisation; needs --mask.",
        relion="do_solvent_fsc")
    low_resolution_join: float = option(
        40.0, help="The half maps share what lies below this resolution, so that they keep one frame; 0: nothing.",
        unit="Å", ge=0, le=500)
    max_iterations: int = option(0, help="Join the halves and end at this iteration; 0: when converged.", ge=0, le=999)
    keep_offsets: bool = option(
        True, help="Search shifts around the particles' stored origins, as RELION does (their angles are not used); "
        "otherwise around the centres of the boxes.", level="advanced")
    padding: float = option(2.0, help="Oversampling of the Fourier transform of the maps.", ge=1, le=3, relion="pad",
                            level="advanced")
    intact_first_peak: bool = option(False, help="No CTF correction before its first peak.", relion="ctf_intact_first_peak",
                                     level="advanced")
    norm_correction: bool = option(True, help="Estimate each particle's contrast normalisation.", level="advanced")
    scale_correction: bool = option(True, help="Estimate the intensity scale of each group (micrograph).", level="advanced")
    skip_image_checks: bool = option(
        False, help="Go on although the particles look unnormalised or dark.", level="advanced")


def check(params: Refine3dParams, context: Context) -> Plan:
    from verglas.jobs.refine3d_check import check_inputs

    return check_inputs(params, context)


def run(params: Refine3dParams, context: Context) -> None:
    from verglas.jobs.refine3d_run import refine

    refine(params, context)


def adopt(folder: Path) -> dict[str, object]:
    """Options with which a refinement that RELION began goes on."""
    from verglas.jobs.refine3d_adopt import options_of_relion

    return options_of_relion(folder)


JOB = Job(
    "refine3d", "Refine3D", "Refine one structure from particles and a starting map, halves kept independent.",
    Refine3dParams, check, run, "relion.refine3d", can_continue=True, parallel=True,
    adopt=adopt,
)
