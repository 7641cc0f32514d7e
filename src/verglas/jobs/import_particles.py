"""import particles: a STAR or cryoSPARC file with stacks that stay where they are; export cryosparc: the way back."""

from pathlib import Path

from verglas.jobs.spec import Files, Job, JobParams, deferred, option


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


JOB = Job("import particles", "Import", "Particles of a STAR or cryoSPARC (.cs) file; links, never copies.", ParticlesParams,
          deferred("import_stacks", "check"), deferred("import_stacks", "run"), "relion.import.other", light=True)
EXPORT = Job("export cryosparc", "Export", "Particles as a .cs file of cryoSPARC.", CryosparcParams,
             deferred("import_stacks", "check_export"), deferred("import_stacks", "run_export"), light=True)
