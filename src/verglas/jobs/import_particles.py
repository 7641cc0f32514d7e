"""import particles: a STAR or cryoSPARC file with stacks that stay where they are; export cryosparc: the way back."""

from pathlib import Path

from verglas.jobs.spec import Context, Files, Job, JobParams, Plan, option


class ParticlesParams(JobParams):
    """Options of `verglas import particles`."""

    particles: Path = option(help="Particles: a STAR file, or a .cs file of cryoSPARC.", relion="fn_in_other")
    passthrough: Files = option((), help="Passthrough files of the same cryoSPARC job, for what the .cs file lacks.")
    stacks: Path | None = option(None, help="Folder that the names of the stacks are relative to (the cryoSPARC project); default: it is searched.")
    optics_group: str | None = option(None, help="New name of the optics group, if there is only one.", relion="optics_group_particles")
    invert: bool = option(False, help="Write stacks of the opposite contrast, for images with dark particles, instead of links.")


class CryosparcParams(JobParams):
    """Options of `verglas export cryosparc`."""

    particles: Path = option(help="Particles (STAR).")
    dark: bool = option(False, help="The particles are darker than the background.")


def check(params: ParticlesParams, context: Context) -> Plan:
    from verglas.jobs import import_stacks

    return import_stacks.check(params, context)


def run(params: ParticlesParams, context: Context) -> None:
    from verglas.jobs import import_stacks

    import_stacks.run(params, context)


def check_export(params: CryosparcParams, context: Context) -> Plan:
    from verglas.jobs import import_stacks

    return import_stacks.check_export(params, context)


def run_export(params: CryosparcParams, context: Context) -> None:
    from verglas.jobs import import_stacks

    import_stacks.run_export(params, context)


JOB = Job("import particles", "Import", "Particles of a STAR or cryoSPARC (.cs) file; links, never copies.", ParticlesParams,
          check, run, "relion.import.other")
EXPORT = Job("export cryosparc", "Export", "Particles as a .cs file of cryoSPARC.", CryosparcParams,
             check_export, run_export)
