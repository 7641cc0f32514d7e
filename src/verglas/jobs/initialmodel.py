"""initialmodel: a first 3D map from particles alone, by VDAM."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import model_validator

from verglas.jobs.classify_params import ClassifyParams
from verglas.jobs.spec import Context, Job, Plan, option

if TYPE_CHECKING:
    from verglas.jobs.classify_door import ClassInputs
    from verglas.methods.classify.plan import ClassPlan
    from verglas.methods.classify.state import ClassState
    from verglas.types import Map

ALIGN_TO = 15.0
"""Å: models of several seeds are compared after alignment at this resolution."""
MARCH_FROM = 30.0
"""Å: to which a model of imposed symmetry begins to be compared. Where all of it is compared at once, noise that the symmetry
repeats is soon taken for features and stays (bench/LOG.md)."""


class InitialModelParams(ClassifyParams):
    """Options of `verglas initialmodel`."""

    classes: int = option(1, help="Number of models; more than one: the others take what does not fit.", ge=1, le=20, relion="nr_classes")
    mini_batches: int = option(200, help="Mini-batches.", ge=10, le=999, relion="nr_iter")
    tau: float = option(4.0, help="Weight of the data against the prior.", gt=0, le=100, relion="tau_fudge")
    symmetry: str = option("C1", help="Point group of the particle: Cn, Dn, T, O, I1 to I4.", relion="sym_name")
    run_in_c1_first: bool = option(
        True, help="Search without symmetry, then find its axes and symmetrise; otherwise, and for T, O and I unless asked for, the symmetry is "
        "imposed from the start.", relion="do_run_C1")
    flatten_and_enforce_non_negative_solvent: bool = option(
        False, help="Besides flattening the solvent, set negative density to zero after every mini-batch.", relion="do_solvent")
    offset_range: float = option(6.0, help="Translational search: up to this far.", unit="px", gt=0, le=100, relion="offset_range")
    limit_resolution: float = option(
        0.0, help="Nothing finer than this is compared; 0: 5 % of the mask diameter, what the finest angular step can place.", unit="Å", ge=0,
        le=500, relion="highres_limit")
    seeds: int = option(1, help="Repeat from this many seeds, align the models and compare them by FSC.", ge=1, le=20)

    @model_validator(mode="before")
    @classmethod
    def _nearly_round(cls, given: Any) -> Any:
        """A cubic particle is so round that without its symmetry there is little to find."""
        if str(given.get("symmetry", "C1"))[:1].upper() in ("T", "O", "I"):
            return {"run_in_c1_first": False, **given}
        return given


def class_plan(params: InitialModelParams, inputs: "ClassInputs", seed: int) -> "ClassPlan":
    """The options in Å and radians."""
    from verglas.jobs.classify_door import search_plan
    from verglas.methods.classify.initial import SHELL
    from verglas.methods.classify.plan import VDAM_3D, ClassPlan, finest_wave

    images, imposed = inputs.images, not params.run_in_c1_first and params.symmetry.upper() != "C1"
    search = search_plan(
        params, images, seed, symmetry=params.symmetry if imposed else "C1", healpix_order=2 if imposed else 1, padding=1.0, correct_norm=False,
        correct_scale=False, initial_lowpass=images.box * images.pixel_size / max(1, round(SHELL * images.box)))
    limit = params.limit_resolution or finest_wave(search.diameter)
    return ClassPlan(
        params.classes, params.mini_batches, params.tau, search, VDAM_3D, limit=limit, auto_sampling=True, march=MARCH_FROM if imposed else 0.0,
        non_negative=params.flatten_and_enforce_non_negative_solvent)


def check(params: InitialModelParams, context: Context) -> Plan:
    from verglas.core.symmetry import operators
    from verglas.jobs.classify_door import check_classification, open_class_inputs

    operators(params.symmetry)
    inputs = open_class_inputs(params.particles)
    plan = class_plan(params, inputs, context.resources.seed)
    return check_classification(params, inputs, plan, context, params.seeds * (plan.iterations // 10 + 1))


def run(params: InitialModelParams, context: Context) -> None:
    from verglas.io.mrc import write_map
    from verglas.jobs.classify_door import open_class_inputs
    from verglas.jobs.classify_run import classify

    inputs = open_class_inputs(params.particles)
    models = []
    for number in range(params.seeds):
        seed = context.resources.seed + number
        place = context if number == 0 else seed_context(context, number + 1)
        if params.seeds > 1:
            context.log(f"seed {seed} ({number + 1} of {params.seeds})")
        state = classify(inputs, class_plan(params, inputs, seed), place, params.keep_offsets)
        if not context.group.leads:
            continue
        model = finished_map(state, params, context)
        write_map(place.output / "initial_model.mrc", model)
        models.append(model)
    if len(models) > 1:
        compare(models, context)


def seed_context(context: Context, number: int) -> Context:
    """The folder of a further seed inside the job folder."""
    folder = context.output / f"seed{number}"
    if context.group.leads:
        folder.mkdir(exist_ok=True)
    return replace(context, output=folder)


def finished_map(state: "ClassState", params: InitialModelParams, context: Context) -> "Map":
    """The map of the largest class, in the frame of the point group and averaged over it."""
    from verglas.methods import mapops
    from verglas.methods.align.axes import find_symmetry_axes
    from verglas.methods.align.move import rotate_map
    from verglas.types import Map

    largest = int(state.model.shares.argmax())
    model = Map(state.model.maps[largest], state.pixel_size)
    if len(state.model.maps) > 1:
        context.log(f"class {largest + 1} is the largest: {100 * state.model.shares[largest]:.0f} % of the particles")
    if params.symmetry.upper() == "C1":
        return model
    if params.run_in_c1_first:
        frame = find_symmetry_axes(model, params.symmetry)
        context.log(f"{params.symmetry.upper()} axes found: correlation of the mates {frame.score:.2f} (random frames {frame.chance:.2f}, "
                    f"best of 200 {frame.best_chance:.2f}), to {frame.holds_to:.1f} Å")
        context.event("symmetry", score=frame.score, chance=frame.chance, best_chance=frame.best_chance, holds_to_A=frame.holds_to)
        if not frame.convincing:
            context.warn(f"the model hardly shows {params.symmetry.upper()} symmetry: run again with another seed, or with another symmetry")
        model = rotate_map(model, frame.rotation, frame.shift)
    return mapops.symmetrise(model, params.symmetry)


def compare(models: list["Map"], context: Context) -> None:
    """Mutual FSC of the models of all seeds after alignment to the first: seeds.json, an event, and what to think of it."""
    import numpy as np
    import torch

    from verglas.core.fsc import fsc, resolution_at
    from verglas.core.shells import resolution_of_shell
    from verglas.methods.align import align_maps, apply_alignment

    first = models[0]
    aligned = [first]
    for other in models[1:]:
        found = align_maps(other, first, hand=True)
        aligned.append(apply_alignment(other, found, first))
    curves, resolution = [], []
    for i, a in enumerate(aligned):
        for b in aligned[i + 1:]:
            curve = fsc(torch.from_numpy(np.array(a.data)), torch.from_numpy(np.array(b.data)))
            curves.append([round(float(x), 4) for x in curve])
            resolution.append(round(resolution_at(curve, 0.5, first.box, first.pixel_size), 2))
    shells = resolution_of_shell(first.box, first.pixel_size, len(curves[0]))
    content = {"fsc": curves, "resolution": [round(min(float(x), 999.0), 3) for x in shells], "agree_A": resolution}
    (context.output / "seeds.json").write_text(json.dumps(content))
    context.event("seeds", **content)
    context.log(f"models of {len(models)} seeds agree (FSC 0.5, hand free) to {', '.join(f'{x:.1f}' for x in resolution)} Å")


JOB = Job(
    "initialmodel", "InitialModel", "A first 3D map from particles alone.", InitialModelParams, check, run, "relion.initialmodel",
    can_continue=True, parallel=True,
)
