"""class2d: 2D class averages of particles."""

from math import radians
from typing import TYPE_CHECKING, Literal

from verglas.jobs.classify_params import ClassifyParams
from verglas.jobs.spec import Context, Job, Plan, option

if TYPE_CHECKING:
    from verglas.jobs.classify_door import ClassInputs
    from verglas.methods.classify.plan import ClassPlan


class Class2dParams(ClassifyParams):
    """Options of `verglas class2d`."""

    classes: int = option(50, help="Number of classes.", ge=1, le=1000, relion="nr_classes")
    algorithm: Literal["vdam", "em"] = option(
        "vdam", help="Method. vdam: fast, growing mini-batches; em: all particles in every iteration.", choices=("vdam", "em"))
    iterations: int | None = option(None, help="Mini-batches or iterations; without it 200 with vdam, 25 with em.", ge=1, le=999)
    tau: float = option(2.0, help="Weight of the data against the prior: more gives finer and noisier averages.", gt=0, le=100, relion="tau_fudge")
    psi_step: float = option(6.0, help="Fine in-plane angular step.", unit="degrees", gt=0, le=30, relion="psi_sampling")
    alignment: bool = option(
        True, help="Search psi and origin of every particle; otherwise those of the STAR file stay and only classes are sought.",
        relion="dont_skip_align")
    centre: bool = option(True, help="Keep the averages in the middle of the box.", relion="do_center")
    inactivity: float = option(
        0.1, help="With vdam: a class with less than this part of an even share is given up and another one split; 0: never.", ge=0, le=1,
        level="advanced")
    fast_subsets: bool = option(
        False, help="With em: the first 15 iterations look at a part of the particles.", relion="do_fast_subsets", level="advanced")


def class_plan(params: Class2dParams, inputs: "ClassInputs", seed: int) -> "ClassPlan":
    """The options in Å and radians."""
    from dataclasses import replace

    from verglas.jobs.classify_door import search_plan
    from verglas.methods.classify.initial import SHELL
    from verglas.methods.classify.plan import VDAM_2D, ClassPlan, Em

    images = inputs.images
    lowpass = images.box * images.pixel_size / max(1, round(SHELL * images.box))
    search = search_plan(params, images, seed, initial_lowpass=lowpass, healpix_order=0)
    vdam = params.algorithm == "vdam"
    return ClassPlan(
        params.classes, params.iterations or (200 if vdam else 25), params.tau, search,
        replace(VDAM_2D, inactivity=params.inactivity) if vdam else Em(params.fast_subsets), psi_step=radians(params.psi_step),
        limit=params.limit_resolution, centre=params.centre, align=params.alignment,
    )


def check(params: Class2dParams, context: Context) -> Plan:
    from dataclasses import replace

    from verglas.jobs.class3d_fixed_input import pose_doubts
    from verglas.jobs.classify_door import check_classification, open_class_inputs

    inputs = open_class_inputs(params.particles)
    plan = class_plan(params, inputs, context.resources.seed)
    found = check_classification(params, inputs, plan, context, plan.iterations // (10 if params.algorithm == "vdam" else 1) + 1)
    return found if params.alignment else replace(found, warnings=(*found.warnings, *pose_doubts(inputs.images.particles)))


def run(params: Class2dParams, context: Context) -> None:
    from verglas.jobs.classify_door import open_class_inputs
    from verglas.jobs.classify_run import classify

    inputs = open_class_inputs(params.particles)
    classify(inputs, class_plan(params, inputs, context.resources.seed), context, params.keep_offsets)


JOB = Job("class2d", "Class2D", "2D class averages.", Class2dParams, check, run, "relion.class2d", can_continue=True, parallel=True)
