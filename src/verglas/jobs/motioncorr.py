"""motioncorr: movies to micrographs, corrected for motion of the whole frame and of its parts, weighted for radiation damage."""

from dataclasses import replace
from pathlib import Path

from verglas.jobs.each import each, pool_of, workers_option
from verglas.jobs.spec import Context, Job, JobParams, Plan, PlanLine, option

FAR = 100.0
"""Å of motion from first to last frame that deserve a warning."""


class MotionParams(JobParams):
    """Options of `verglas motioncorr`."""

    movies: Path = option(help="Movies (movies.star).", relion="input_star_mics")
    dose_per_frame: float | None = option(
        None, help="Dose of a frame (EER: of a fraction); 0: not known; default: what import was told.", unit="e/Å²", ge=0, le=1000,
        relion="dose_per_frame")
    gain: Path | None = option(
        None, help="Gain reference (MRC, TIFF, .gain), pixels that are 0 in it are bad; default: what import was told.", relion="fn_gain_ref")
    gain_rotation: int = option(0, help="Turns of the gain by 90° clockwise.", ge=0, le=3, relion="gain_rot")
    gain_flip: int = option(0, help="Then 1: turn the gain upside down, 2: left to right.", ge=0, le=2, relion="gain_flip")
    defects: Path | None = option(None, help="Bad pixels: lines of x y width height, or an image that is not 0 where bad.", relion="fn_defect")
    first_frame: int = option(1, help="First frame to use.", ge=1, relion="first_frame_sum")
    last_frame: int = option(-1, help="Last frame to use; -1: all.", ge=-1, relion="last_frame_sum")
    binning: float = option(1.0, help="Bin the micrograph (Fourier cropping); may be fractional.", ge=1, le=16, relion="bin_factor")
    pre_exposure: float = option(0.0, help="Dose before the first frame.", unit="e/Å²", ge=0, le=1000, relion="pre_exposure")
    patches_x: int = option(5, help="Patches along x for local motion; with fewer than 3 of them: motion of the whole frame only.", ge=1, le=30,
                            relion="patch_x")
    patches_y: int = option(5, help="Patches along y.", ge=1, le=30, relion="patch_y")
    bfactor: float = option(150.0, help="B-factor of the first search: larger for noisier frames.", unit="px²", ge=0, le=5000, relion="bfactor")
    group_frames: int = option(1, help="Frames added before alignment, for very small doses per frame.", ge=1, le=1000, relion="group_frames")
    dose_weighting: bool = option(True, help="Weight frequencies by what the dose has left of them.", relion="do_dose_weighting")
    save_unweighted: bool = option(False, help="Write the sum without dose weights too (_noDW.mrc).", relion="do_save_noDW")
    save_halves: bool = option(False, help="Write plain sums of even and odd frames, for denoisers (_EVN, _ODD).", relion="do_even_odd_split")
    save_power_spectrum: bool = option(True, help="Write the spectrum that CTF estimation fits best (_PS.mrc).", relion="do_save_ps")
    float16: bool = option(True, help="Write half precision (MRC mode 12), half the size.", relion="do_float16")
    eer_grouping: int = option(32, help="EER: hardware frames in a fraction.", ge=1, relion="eer_grouping")
    eer_upsampling: int = option(1, help="EER: 1 pixels of the detector, 2 half of them.", ge=1, le=2, level="advanced")
    workers: str = workers_option()


def check(params: MotionParams, context: Context) -> Plan:
    from verglas.jobs.motioncorr_input import open_movies

    found = open_movies(params, context)
    ny, nx = found.shape
    used = found.frames if params.last_frame < 0 else params.last_frame - params.first_frame + 1
    pool = pool_of(context, params.workers, len(found.movies), found.memory)
    gib, each_worker = pool.together * found.memory / 2**30, " for each worker" if pool.count > 1 or pool.address else ""
    lines = (
        PlanLine("movies", f"{len(found.movies)}", f"{nx} x {ny} px, {found.frames} frames in the first"),
        PlanLine("exposure", f"{found.dose * used + params.pre_exposure:.1f} e/Å²", f"{found.dose:g} per frame"),
        PlanLine("motion", found.motion),
        PlanLine("memory", f"{gib:.1f} GiB{each_worker}", f"{pool.together} at once: each as it is stored, and a smaller copy"),
    )
    return Plan(lines, found.warnings, found.inputs, found)


def run(params: MotionParams, context: Context) -> None:
    from verglas.jobs.motioncorr_input import FoundMovies, open_movies
    from verglas.jobs.motioncorr_output import tell, write_joint_star
    from verglas.jobs.motioncorr_work import MotionWork

    found = context.found if isinstance(context.found, FoundMovies) else open_movies(params, context)
    own = replace(context.resources, threads=pool_of(context, params.workers, len(found.movies), found.memory).threads)
    work = MotionWork(params, context.output, context.project, own, found.movies, found.dose, found.gain)
    outcomes = each(context, [str(name) for name in found.movies.name], work, params.workers, "movies", found.memory)
    write_joint_star(context, params, found.movies, outcomes)
    tell(context, outcomes)


JOB = Job("motioncorr", "MotionCorr", "Correct movies for motion and radiation damage.", MotionParams, check, run, "relion.motioncorr.own",
          can_continue=True)
