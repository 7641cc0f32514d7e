"""extract: particle images from micrographs, at picked coordinates or where a refinement found the particles."""

from pathlib import Path
from typing import Literal

from verglas.errors import InputError
from verglas.jobs.each import check_workers, each, workers_option
from verglas.jobs.spec import Context, Job, JobParams, Plan, PlanLine, option


class ExtractParams(JobParams):
    """Options of `verglas extract`."""

    micrographs: Path = option(help="Micrographs with their CTFs (micrographs_ctf.star).", relion="star_mics")
    coordinates: Path | None = option(
        None, help="Picks: autopick.star or another list of coordinate files, or one table with rlnMicrographName, rlnCoordinateX and Y.",
        relion="coords_suffix")
    particles: Path | None = option(
        None, help="Instead of picks: particles to extract again (run_data.star), at another scale or recentred.", relion="fndata_reextract")
    box: int = option(help="Side of the window in the micrograph, even.", unit="px", ge=4, le=8192, relion="extract_size")
    rescale: int | None = option(None, help="Shrink the window to this side, even; the pixels become larger.", unit="px", ge=4, relion="rescale")
    crop: int | None = option(None, help="Then keep only the middle of this side, even.", unit="px", ge=4)
    normalise: bool = option(True, help="Background to mean 0 and standard deviation 1, without a linear ramp.", relion="do_norm")
    background_diameter: float | None = option(
        None, help="The background is outside this circle; default 75 % of the box.", unit="Å", gt=0, relion="bg_diameter")
    white_dust: float | None = option(None, help="Replace pixels this far above the background.", unit="sigma", gt=0, relion="white_dust")
    black_dust: float | None = option(None, help="Replace pixels this far below the background.", unit="sigma", gt=0, relion="black_dust")
    invert: bool = option(True, help="Make the particles bright; in micrographs they are dark.", relion="do_invert")
    float16: bool = option(True, help="Stacks of 2 bytes per pixel (MRC mode 12) instead of 4.", relion="do_float16")
    min_fom: float | None = option(None, help="Only picks with a figure of merit above this.", relion="minimum_pick_fom")
    edge: Literal["fill", "drop"] = option(
        "fill", help="Windows that stick out of the micrograph: fill with its nearest pixels, or leave the particle out.", choices=("fill", "drop"))
    recentre: bool = option(False, help="Move the windows of --particles by the whole pixels of their offsets.", relion="do_recenter")
    recentre_x: float = option(0.0, help="Recentre on this point of the reference, from its centre.", unit="Å")
    recentre_y: float = option(0.0, help="See --recentre-x.", unit="Å")
    recentre_z: float = option(0.0, help="See --recentre-x.", unit="Å")
    reset_offsets: bool = option(False, help="Forget the offsets of --particles, windows unmoved.", relion="do_reset_offsets")
    ctf_of_micrographs: bool = option(False, help="Give --particles the defocus of the micrographs instead of keeping their own.")
    ctf: Literal["none", "multiply", "flip"] = option(
        "none", help="Multiply the images by their CTF, or by its sign, in a window large enough to bring back signal that the defocus displaced "
                     "(RELION pads the CTF to twice the box instead, and what left the box is lost).",
        choices=("none", "multiply", "flip"), level="advanced")
    ctf_box: int | None = option(
        None, help="Window for --ctf, even; default twice the box (RELION's --premultiply_extract_size, there the box itself).", unit="px",
        level="advanced")
    workers: str = workers_option()


def check(params: ExtractParams, context: Context) -> Plan:
    from verglas.jobs.extract_input import open_wanted, recipe_of

    check_options(params)
    check_workers(params.workers)
    wanted = open_wanted(params, context.project)
    recipes = [recipe_of(params, pixel) for pixel in sorted(set(wanted.pixels.tolist()))]
    count, side = len(wanted.particles), recipes[0].window
    return Plan((
        PlanLine("particles", f"{count} from {len(wanted.names)} micrographs", wanted.told),
        PlanLine("images", f"{side} px at {wanted.particles.optics[0].pixel_size:.4f} Å"),
        PlanLine("background", "not normalised" if recipes[0].radius is None else f"beyond {recipes[0].radius:g} px"),
        PlanLine("disk", f"{count * side**2 * (2 if params.float16 else 4) / 1e9:.2f} GB"),
    ), wanted.warnings, found=wanted)


def check_options(params: ExtractParams) -> None:
    """Options that exclude or need each other."""
    if (params.coordinates is None) == (params.particles is None):
        raise InputError("give either --coordinates or --particles", remedy="--coordinates autopick.star for picks, --particles to extract again")
    sides = {"--box": params.box, "--rescale": params.rescale, "--crop": params.crop, "--ctf-box": params.ctf_box}
    for flag, side in sides.items():
        if side is not None and side % 2:
            raise InputError(f"{flag} {side}: must be even", remedy=f"use {side + 1}")
    if params.rescale is not None and params.rescale > params.box:
        raise InputError(f"--rescale {params.rescale} is larger than --box {params.box}", remedy="images can only be shrunk")
    if params.crop is not None and params.crop > (params.rescale or params.box):
        raise InputError(f"--crop {params.crop} is larger than the image of {params.rescale or params.box} px", remedy="give a larger --box")
    if params.ctf_box is not None and (params.ctf == "none" or params.ctf_box < params.box):
        raise InputError(f"--ctf-box {params.ctf_box}: needs --ctf, and at least the {params.box} px of --box")
    if not params.normalise and (params.white_dust or params.black_dust or params.background_diameter):
        raise InputError("--no-normalise excludes --white-dust, --black-dust and --background-diameter")
    again = {"--recentre": params.recentre, "--reset-offsets": params.reset_offsets, "--ctf-of-micrographs": params.ctf_of_micrographs}
    for flag, given in again.items():
        if given and params.particles is None:
            raise InputError(f"{flag} is for --particles")
    if params.particles is not None and params.min_fom is not None:
        raise InputError("--min-fom is for --coordinates", remedy="take rows of particles with `verglas select`")
    if params.recentre and params.reset_offsets:
        raise InputError("--recentre and --reset-offsets exclude each other")
    if any((params.recentre_x, params.recentre_y, params.recentre_z)) and not params.recentre:
        raise InputError("--recentre-x, -y and -z need --recentre")


def run(params: ExtractParams, context: Context) -> None:
    from verglas.jobs.extract_files import kept, write_plan, write_results
    from verglas.jobs.extract_input import Wanted, open_wanted
    from verglas.jobs.extract_one import ExtractOne

    wanted = context.found if isinstance(context.found, Wanted) else open_wanted(params, context.project)
    plan = write_plan(wanted, params, context)
    outcomes = each(context, wanted.names.tolist(), ExtractOne(plan, context.project, params, wanted.particles.optics), params.workers)
    write_results(kept(wanted, outcomes, plan), params, context)
    failed = sum(one.row is None for one in outcomes)
    flat = sum(int(str(one.row["flat"])) for one in outcomes if one.row)
    if flat:
        context.warn(f"{flat} images have a flat background and are not divided by its standard deviation.")
    context.event("extract", particles=len(wanted.particles), micrographs=len(wanted.names), failed=failed)


JOB = Job("extract", "Extract", "Particle images from micrographs, at picks or where a refinement found the particles.", ExtractParams, check, run,
          "relion.extract", can_continue=True)
