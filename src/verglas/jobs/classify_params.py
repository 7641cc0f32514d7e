"""Options that class2d, class3d and initialmodel share."""

from pathlib import Path

from verglas.jobs.spec import JobParams, option


class ClassifyParams(JobParams):
    """What every classification can be told."""

    particles: Path = option(help="Particle STAR file (RELION 3.0 to 5).", relion="fn_img")
    mask_diameter: float | None = option(
        None, help="Diameter of the circular image mask; without it 90 % of the box.", unit="Å", gt=0, relion="particle_diameter")
    offset_range: float = option(5.0, help="Translational search: up to this far.", unit="px", gt=0, le=100, relion="offset_range")
    offset_step: float = option(1.0, help="Translational search: fine step.", unit="px", gt=0, le=20, relion="offset_step")
    limit_resolution: float = option(
        0.0, help="Nothing finer than this is compared; 0: no limit.", unit="Å", ge=0, le=500, relion="highres_limit")
    keep_offsets: bool = option(
        True, help="Search shifts around the particles' stored origins, otherwise around the centres of the boxes.", level="advanced")
    ctf_correction: bool = option(True, help="Correct for the CTF.", relion="do_ctf_correction", level="advanced")
    ignore_ctf_until_first_peak: bool = option(
        False, help="No CTF correction before its first peak.", relion="ctf_intact_first_peak", level="advanced")
    skip_image_checks: bool = option(False, help="Go on although the particles look unnormalised or dark.", level="advanced")
