"""pick template: particles that look like 2D averages or projections of a map, at every in-plane angle."""

from dataclasses import dataclass
from functools import lru_cache
from math import pi
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from verglas.jobs.each import check_workers, each
from verglas.jobs.pick_params import PickParams, check_maps, check_size, micrograph_lines, open_micrographs
from verglas.jobs.spec import Context, Job, Plan, PlanLine, option
from verglas.units import DEGREE

if TYPE_CHECKING:
    import numpy as np

    from verglas.jobs.pick_one import PickOne
    from verglas.methods.picking.bank import Bank
    from verglas.methods.picking.scores import ScoreMaps
    from verglas.types import Micrographs


class PickTemplateParams(PickParams):
    """Options of `verglas pick template`."""

    references: Path = option(help="Templates: 2D averages (.mrcs, or a STAR file that names them) or a map (.mrc), particles bright.",
                              relion="fn_refs_autopick")
    reference_pixel_size: float | None = option(None, help="Of the references; default: from their header.", unit="Å", gt=0,
                                                relion="angpix_ref")
    diameter: float | None = option(None, help="Of the particle; default: seen in the references.", unit="Å", gt=0)
    psi_step: float = option(5.0, help="Between in-plane angles.", unit="degrees", gt=0, le=180, relion="psi_sampling_autopick")
    symmetry: str = option("C1", help="Point group of the map.", relion="ref3d_symmetry")
    order: int = option(1, help="Directions of a map: HEALPix order (0: 60, 1: 30, 2: 15 degrees).", ge=0, le=3)
    dark_references: bool = option(False, help="The particles are dark in the references.", relion="do_invert_refs")
    ctf: bool = option(True, help="Multiply templates by the CTF of each micrograph, where it is known.", relion="do_ctf_autopick")
    fom: Literal["matched", "ratio"] = option(
        "matched", help="Figure of merit: a whitened matched filter, or RELION's probability ratio.", choices=("matched", "ratio"),
        level="advanced")


@dataclass(frozen=True)
class Templates:
    """The picker; its bank is made once by each worker and pixel size."""

    params: PickTemplateParams
    diameter: float

    def __call__(self, image: "np.ndarray", row: "Micrographs") -> "ScoreMaps":
        from verglas.methods.picking.ratio import ratio_scores
        from verglas.methods.picking.templates import Ctf, TemplateOptions, template_field, template_scores

        p, group = self.params, row.optics[row.optics_index[0]]
        options = TemplateOptions(self.diameter, p.lowpass, p.white, p.min_distance or 0.0)
        bank = bank_of(p, self.diameter, group.pixel_size)
        ctf = Ctf(row.defocus, group) if p.ctf and row.defocus is not None else None
        if p.fom == "ratio":
            return ratio_scores(template_field(image, group.pixel_size, options), bank, options, ctf)
        return template_scores(image, group.pixel_size, bank, options, ctf)


@lru_cache(maxsize=2)
def bank_of(params: PickTemplateParams, diameter: float, pixel: float) -> "Bank":
    """Templates at the pixel size on which micrographs of `pixel` Å are searched."""
    from verglas.jobs.pick_references import read_references
    from verglas.methods.picking.bank import averages_bank, map_bank
    from verglas.methods.picking.templates import field_pixel

    found = read_references(params.references, params.reference_pixel_size, params.dark_references)
    target, step = field_pixel(pixel, params.lowpass), params.psi_step * DEGREE
    if found.volume:
        return map_bank(found.data, found.pixel, diameter, target, (params.order, params.symmetry, step))
    return averages_bank(found.data, found.pixel, diameter, target, step)


def check(params: PickTemplateParams, context: Context) -> Plan:
    from verglas.core.symmetry import operators
    from verglas.jobs.pick_references import diameter_of, read_references

    check_workers(params.workers)
    operators(params.symmetry)
    check_maps(params)
    table = open_micrographs(params.micrographs, context.project)
    found = read_references(params.references, params.reference_pixel_size, params.dark_references)
    diameter = params.diameter or diameter_of(found)
    check_size(diameter, diameter, params.lowpass, ("--diameter", "--diameter"))
    kind = f"map, {params.symmetry}, directions every {60 / 2**params.order:g}°" if found.volume else f"{len(found.data)} averages"
    blind = params.ctf and table.defocus is None
    return Plan((
        *micrograph_lines(table, params), PlanLine("references", kind, f"{found.pixel:.4f} Å/px"),
        PlanLine("diameter", f"{diameter:.0f} Å", "given" if params.diameter else "seen in the references"),
        PlanLine("angles", f"{round(2 * pi / (params.psi_step * DEGREE))} in the plane"),
    ), ("The micrographs have no CTF: templates are compared without it.",) if blind else ())


def work_of(params: PickTemplateParams, project: Path, output: Path) -> "PickOne":
    """What is done to each micrograph."""
    from verglas.jobs.pick_one import PickOne
    from verglas.jobs.pick_references import diameter_of, read_references

    diameter = params.diameter or diameter_of(read_references(params.references, params.reference_pixel_size, params.dark_references))
    return PickOne(project, output, params, Templates(params, diameter), params.min_distance or 0.6 * diameter, params.fom == "matched")


def run(params: PickTemplateParams, context: Context) -> None:
    from verglas.jobs.pick_one import finish, table_of

    work = work_of(params, context.project, context.output)
    finish(each(context, table_of(params.micrographs).name.tolist(), work, params.workers), context)


JOB = Job("pick template", "AutoPick", "Find particles with templates: 2D averages or a map.", PickTemplateParams, check, run,
          "relion.autopick.ref2d", can_continue=True)
