"""ctf: defocus, astigmatism and phase shift of every micrograph from its Thon rings."""

from pathlib import Path
from typing import TYPE_CHECKING

from verglas.errors import InputError
from verglas.jobs.each import check_workers, each, workers_option
from verglas.jobs.spec import Context, Job, JobParams, Plan, PlanLine, option

if TYPE_CHECKING:
    from verglas.jobs.ctf_work import FitOne
    from verglas.methods.ctffit import Range


class CtfParams(JobParams):
    """Options of `verglas ctf`."""

    micrographs: Path = option(help="Micrographs (corrected_micrographs.star or micrographs.star).", relion="input_star_mics")
    use_power_spectra: bool = option(True, help="Fit the power spectra that motion correction wrote, where the STAR file names them.",
                                     relion="use_given_ps")
    use_no_dw: bool = option(False, help="Of micrographs, use those without dose weighting.", relion="use_noDW")
    box: int = option(512, help="Tiles of micrographs: box of their spectrum.", unit="px", ge=128, le=2048, relion="box")
    min_resolution: float = option(30.0, help="Coarsest rings that are used.", unit="Å", ge=10, le=200, relion="resmin")
    max_resolution: float = option(4.0, help="Finest rings that are used; rings that do not stand out of the noise do not count.", unit="Å",
                                   ge=2.8, le=20, relion="resmax")
    min_defocus: float = option(5000.0, help="Search from this defocus.", unit="Å", ge=500, le=200000, relion="dfmin")
    max_defocus: float = option(50000.0, help="Search up to this defocus.", unit="Å", ge=500, le=200000, relion="dfmax")
    astigmatism: float = option(1000.0, help="Astigmatism that is usual (standard deviation); more needs clearer rings.", unit="Å", gt=0, le=20000,
                                relion="dast")
    phase_shift: bool = option(False, help="Fit the phase shift of a phase plate too.", relion="do_phaseshift")
    min_phase: float = option(0.0, help="Search phase shifts from here.", unit="°", ge=0, le=180, level="advanced", relion="phase_min")
    max_phase: float = option(180.0, help="Up to here; if the same as --min-phase, it is known.", unit="°", ge=0, le=180, level="advanced",
                              relion="phase_max")
    phase_step: float = option(10.0, help="Step of the search of phase shifts.", unit="°", ge=1, le=45, level="advanced", relion="phase_step")
    tilt: bool = option(False, help="Estimate the tilt of the specimen too and correct the spectrum for it: sharper rings (needs the micrographs).")
    thickness: bool = option(False, help="Estimate the thickness of the ice too, from where the rings fade and turn over.")
    keep_bad: bool = option(False, help="Keep micrographs whose fit cannot be trusted in micrographs_ctf.star.")
    workers: str = workers_option()


def check(params: CtfParams, context: Context) -> Plan:
    check_workers(params.workers)
    check_range(params)
    work = prepared(params, context)
    work.try_first()
    optics = {f"{g.voltage_kv:g} kV, Cs {g.cs_mm:g} mm, amplitude contrast {g.amplitude_contrast:g}" for g in work.micrographs.optics}
    return Plan((
        PlanLine("micrographs", str(len(work.micrographs)), "; ".join(sorted(optics))),
        PlanLine("fitted to", work.told),
        PlanLine("searched", f"{params.min_defocus:g} to {params.max_defocus:g} Å",
                 f"rings from {params.min_resolution:g} to {params.max_resolution:g} Å"),
        PlanLine("time", f"about {len(work.micrographs) * (0.5 + params.phase_shift + 4 * params.tilt + params.thickness):.0f} s of one core"),
    ))


def check_range(params: CtfParams) -> None:
    """What is searched is a range in which something can be found."""
    if params.min_defocus >= params.max_defocus:
        raise InputError(f"from {params.min_defocus:g} to {params.max_defocus:g} Å is no range", where="--min-defocus, --max-defocus",
                         remedy="the second must be larger")
    if params.min_resolution <= 1.5 * params.max_resolution:
        raise InputError(f"from {params.min_resolution:g} to {params.max_resolution:g} Å holds too few rings",
                         where="--min-resolution, --max-resolution", remedy="e.g. 30 and 4 Å")
    if params.phase_shift and params.max_phase < params.min_phase:
        raise InputError(f"from {params.min_phase:g} to {params.max_phase:g}° is no range", where="--min-phase, --max-phase",
                         remedy="the second must be larger; leave --phase-shift out if there is no phase plate")


def prepared(params: CtfParams, context: Context) -> "FitOne":
    """What is done to each micrograph, from a STAR file that has been checked."""
    from verglas.jobs.ctf_work import FitOne, sources
    from verglas.jobs.micrograph_door import open_table

    micrographs = open_table(params.micrographs)
    inputs, kind, told = sources(micrographs, params.use_power_spectra, params.use_no_dw)
    if params.tilt and kind == "spectra":
        raise InputError("the tilt cannot be seen in power spectra of whole micrographs", where="--tilt", remedy="add --no-use-power-spectra")
    return FitOne(micrographs, inputs, kind, told, wanted(params), params.box, params.tilt, params.thickness,
                  context.project.resolve(), context.output.resolve())


def wanted(params: CtfParams) -> "Range":
    """The options as the method takes them: Å and radians."""
    from verglas.methods.ctffit import Range, phase_grid
    from verglas.units import DEGREE

    phases = phase_grid(params.min_phase * DEGREE, params.max_phase * DEGREE, params.phase_step * DEGREE) if params.phase_shift else (0.0,)
    return Range(params.min_defocus, params.max_defocus, 2.0 * params.astigmatism, params.astigmatism, phases, params.min_resolution,
                 params.max_resolution)


def run(params: CtfParams, context: Context) -> None:
    from verglas.io.micrographs_star import write_micrographs
    from verglas.jobs.ctf_table import extras, fitted, summary

    work = prepared(params, context)
    outcomes = each(context, [str(name) for name in work.micrographs.name], work, params.workers)
    result = fitted(work.micrographs, outcomes, params.keep_bad)
    (context.output / "left_out.txt").write_text("".join(f"{name}\t{reason}\n" for name, reason in result.left_out), encoding="utf-8")
    bad = [reason for _, reason in result.left_out]
    if bad:
        kept = "kept all the same" if params.keep_bad else "left out"
        context.warn(f"{len(bad)} of {len(outcomes)} micrographs are bad and {kept}; see left_out.txt. The first: {': '.join(result.left_out[0])}")
    if not len(result.table):
        raise InputError(f"none of {len(outcomes)} micrographs can be trusted; the first: {bad[0]}", where=str(params.micrographs),
                         remedy="look at the .ctf pictures; check pixel size, voltage and Cs; --keep-bad keeps them all the same")
    write_micrographs(context.output / "micrographs_ctf.star", result.table)
    context.log(summary(result.table))
    for line in extras(result.table):
        context.log(line)
    context.event("ctf", fitted=len(result.table), bad=len(bad), total=len(outcomes))


JOB = Job("ctf", "CtfFind", "Defocus, astigmatism and phase shift of micrographs from their Thon rings.", CtfParams, check, run,
          "relion.ctffind.ctffind4", can_continue=True)
