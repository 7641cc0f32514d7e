"""live: movies become particles while the microscope still records them."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from verglas.errors import InputError
from verglas.jobs.each import check_workers, workers_option
from verglas.jobs.spec import Context, Job, JobParams, Plan, PlanLine, option

if TYPE_CHECKING:
    from verglas.jobs.live_run import Live


class LiveParams(JobParams):
    """Options of `verglas live`."""

    movies: str = option(help="Pattern of the movies, in quotes: 'DIR/*.tiff' (** for all folders below). Files being written are waited for.")
    pixel_size: float = option(help="Of the movies as they are read (EER: as rendered).", unit="Å", gt=0, le=100)
    voltage: float = option(300.0, help="Acceleration voltage.", unit="kV", ge=10, le=3000)
    cs: float = option(2.7, help="Spherical aberration.", unit="mm", ge=-100, le=100)
    amplitude_contrast: float = option(0.1, help="Amplitude contrast.", ge=0, le=1)
    dose: float = option(help="Exposure of one frame (EER: of one fraction).", unit="e/Å²", gt=0, le=1000)
    optics_group: str = option("opticsGroup1", help="Name of the optics group.")
    gain: Path | None = option(None, help="Gain reference.")
    pick: Literal["log", "template", "none"] = option(
        "log", help="Picking by blobs, by --references, or none: then it ends with the CTFs.", choices=("log", "template", "none"))
    min_diameter: float | None = option(None, help="Of the particles: smallest.", unit="Å", gt=0)
    max_diameter: float | None = option(None, help="Of the particles: largest.", unit="Å", gt=0)
    references: Path | None = option(None, help="Templates (2D averages or a map) for --pick template.")
    box: int | None = option(None, help="Window of the particles in the micrograph, even; without it particles are not extracted.", unit="px", ge=4)
    rescale: int | None = option(None, help="Shrink the window to this side, even.", unit="px", ge=4)
    class2d_every: int = option(0, help="Classify in 2D again whenever there are so many more particles; 0: never. Movies wait meanwhile.", ge=0)
    classes: int = option(50, help="Number of 2D classes.", ge=1, le=1000)
    batch: int = option(1, help="A round begins when so many movies are complete: 1 as soon as there is one, N, or 0: with all at the end.", ge=0)
    settle: float = option(10.0, help="A movie is complete when it has not changed for so long.", unit="s", ge=0, le=3600)
    idle: float = option(0.0, help="End when no movie has come for so long; 0: only when asked to (Ctrl-C).", unit="min", ge=0)
    options: Path | None = option(
        None, help="TOML file with more options of the jobs, one table each: [motioncorr] patches = 5, [ctf], [pick], [extract], [class2d].",
        level="advanced")
    workers: str = workers_option()


def check(params: LiveParams, context: Context) -> Plan:
    from verglas.jobs.import_files import require_file
    from verglas.jobs.live_stages import stages_of

    check_workers(params.workers)
    require_file(params.gain, "--gain")
    require_file(params.references, "--references")
    if not params.batch and not params.idle:
        raise InputError("--batch 0 waits for the last movie, and without --idle there is none", remedy="give --idle, such as 10 minutes")
    stages = stages_of(params)
    return Plan((
        PlanLine("watches", params.movies, f"a file is complete after {params.settle:g} s without a change"),
        PlanLine("chain", " -> ".join(stage.name for stage in stages)),
        PlanLine("rounds", {0: "all movies at the end", 1: "movies as they come"}.get(params.batch, f"{params.batch} movies at a time")),
        PlanLine("ends", f"after {params.idle:g} min without a new movie" if params.idle else "when asked to (Ctrl-C); --continue goes on"),
    ))


def run(params: LiveParams, context: Context) -> None:
    from verglas.jobs.each import pool_of
    from verglas.jobs.live_run import Live
    from verglas.jobs.live_stages import stages_of
    from verglas.runtime.workers import serving

    if params.workers == "1":
        live = Live(params, context, stages_of(params))
        with live.pages.kept():
            follow(live, params, context)
        return
    with serving(pool_of(context, params.workers, items=1 << 30)) as address:
        live = Live(params, context, stages_of(params, address))
        with live.pages.kept():
            follow(live, params, context)


def follow(live: "Live", params: LiveParams, context: Context) -> None:
    """Rounds until nothing has come for long enough, or a wish to stop."""
    if context.continuing:
        context.log(str(live.round([])))
    context.log(f"watching {params.movies}; stop with Ctrl-C, all work up to then is kept")
    last, seen = time.monotonic(), 0
    while True:
        ready, waiting = live.new()
        if len(ready) + waiting != seen:
            seen, last = len(ready) + waiting, time.monotonic()
        over = params.idle > 0 and not waiting and time.monotonic() - last > 60 * params.idle
        whole = len(ready) if over else len(ready) - len(ready) % params.batch if params.batch else 0
        if whole:
            context.log(str(live.round(ready[:whole])))
            seen = len(ready) - whole + waiting
        elif over:
            live.close()
            return
        else:
            time.sleep(min(1.0, max(params.settle / 4, 0.05)))
        live.show()
        context.stop_if_asked()


JOB = Job("live", "Live", "Movies become particles while they are recorded.", LiveParams, check, run, can_continue=True)
