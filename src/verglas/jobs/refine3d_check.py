"""Door checks and forecast of refine3d: headers, tables and maps, before anything is written."""

from typing import TYPE_CHECKING

from verglas.errors import InputError
from verglas.jobs.refine3d_input import make_plan, open_inputs
from verglas.jobs.spec import Context, Plan, PlanLine

if TYPE_CHECKING:
    from verglas.jobs.refine3d import Refine3dParams


def check_inputs(params: "Refine3dParams", context: Context) -> Plan:
    """Raise on what cannot be refined; otherwise what will be done."""
    from verglas.core.symmetry import operators

    operators(params.symmetry)
    inputs = open_inputs(params, context.project)
    plan = make_plan(params, inputs.box, inputs.pixel_size, context.resources.seed)
    extent = inputs.box * inputs.pixel_size
    if plan.diameter > extent:
        raise InputError(f"mask diameter {plan.diameter:g} Å, larger than the box of {extent:.1f} Å", where="--mask-diameter")
    return Plan((PlanLine("particles", f"{len(inputs.particles)}"),), inputs.notes)
