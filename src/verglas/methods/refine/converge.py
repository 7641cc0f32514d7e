"""The three clocks of a refinement: resolution, sampling, convergence (RELION's auto-refine rules)."""

from dataclasses import replace
from math import ceil, pi

import numpy as np

from verglas.core.fsc import first_below
from verglas.core.reconstruct import MIN_PRIOR_SHELL
from verglas.methods.refine.plan import Plan
from verglas.methods.refine.state import Changes, Sampling, Schedule

STILL = 1.03
"""A change that is within 3 % of the smallest so far counts as no longer shrinking."""
SMALL_CHANGE = 0.65
"""A change below this fraction of the fine step is small: RELION 5's runs go on at 0.61 and wait at 0.72."""
FINE_ENOUGH = 0.75
"""Sampling is fine enough once the fine step is below this fraction of the estimated accuracy."""
EDGE = 0.25
"""Of the finest wave that the pixels carry: sampling that moves the particle's edge by less per fine step is fine enough too."""
SLACK = 1.05
"""The accuracy is estimated from 100 particles on a ladder of steps, to about 5 %; a grid that misses by less is not refined."""


def fall(curve: np.ndarray, threshold: float) -> int:
    """First shell >= 1 with curve < threshold; len(curve) if there is none."""
    return first_below(curve, threshold) or len(curve)


def resolution_shell(ssnr: np.ndarray) -> int:
    """Last shell before the SSNR first falls below 1; a shell more than 3 beyond it that is above 1 again wins; at least 5."""
    half = len(ssnr) - 1
    shell = min(fall(ssnr[:half], 1.0), half) - 1
    again = np.flatnonzero(ssnr[:half] > 1.0)
    if len(again) and again[-1] > shell + 3:
        shell = int(again[-1])
    return max(shell, MIN_PRIOR_SHELL)


def resolution_shell_of(ssnr: np.ndarray) -> int:
    """The same without the search for a later shell: for one of several classes, and for the result of a refinement."""
    half = len(ssnr) - 1
    return max(min(fall(ssnr[:half], 1.0), half) - 1, MIN_PRIOR_SHELL)


def image_size(schedule: Schedule, box: int, pmax: float) -> int:
    """Diameter in px of the band of the next iteration: room to grow beyond the current resolution, at most the box."""
    if pmax > 0.1 and schedule.high_fsc_at_limit:
        grow = int(0.25 * box / 2 + 0.5)
    else:
        grow = schedule.increment
    return min(2 * (schedule.resolution_shell + grow), box)


def watch_fsc(schedule: Schedule, fsc: np.ndarray) -> Schedule:
    """The increment grows with the width of the FSC's fall; remembers whether FSC at the band's edge ever exceeded 0.2."""
    width = fall(fsc, 0.143) - fall(fsc, 0.5) + 5
    at_limit = fsc[min(schedule.current_size // 2 - 1, len(fsc) - 1)] > 0.2
    return replace(schedule, increment=max(schedule.increment, width), high_fsc_at_limit=schedule.high_fsc_at_limit or bool(at_limit))


def watch_resolution(schedule: Schedule, shell: int) -> Schedule:
    """Counts iterations without gain of resolution."""
    gained = shell > schedule.resolution_shell
    return replace(schedule, resolution_shell=shell, without_gain=0 if gained else schedule.without_gain + 1)


def watch_changes(schedule: Schedule, sampling: Sampling, now: Changes) -> Schedule:
    """Counts iterations without large changes of the poses."""
    angle_step, offset_step = fine_angle(sampling.order), sampling.offset_step / 2
    small = schedule.smallest
    still = (now.offsets / offset_step < SMALL_CHANGE or STILL * now.offsets >= small.offsets) and (
        now.angles / angle_step < SMALL_CHANGE or STILL * now.angles >= small.angles
    )
    smallest = Changes(min(small.angles, now.angles), min(small.offsets, now.offsets))
    return replace(schedule, last=now, smallest=smallest, without_change=schedule.without_change + 1 if still else 0)


def coarse_angle(order: int) -> float:
    """Angle between coarse directions, rad."""
    return 2 * pi / (6 * 2**order)


def fine_angle(order: int) -> float:
    """Angle between fine (once oversampled) directions, rad."""
    return coarse_angle(order) / 2


def coarse_size(step: float, diameter: float, extent: float, current: int) -> int:
    """Diameter in px of the band of the coarse pass: 1.2 x the resolution at which a coarse step moves the particle's edge by a wave.

    `step` in rad, `extent` = B a in Å.
    """
    arc = step / 2 * diameter
    return min(2 * ceil(1.2 * extent / arc), current)


def refine_sampling(schedule: Schedule, sampling: Sampling, plan: Plan, pixel: float) -> tuple[Schedule, Sampling]:
    """Once resolution and poses stand still: finer angles and shifts, or the note that they are fine enough already. `pixel` in Å."""
    if schedule.without_gain < 1 or schedule.without_change < 1:
        return schedule, sampling
    enough = max(SLACK * FINE_ENOUGH * schedule.accuracy_angle, EDGE * 2 * pixel / (plan.diameter / 2))
    if fine_angle(sampling.order) < enough:
        return replace(schedule, fine_enough=True), sampling
    step = min(1.5, FINE_ENOUGH * schedule.accuracy_offset) * 2
    reach = min(5 * schedule.last.offsets, 1.3 * sampling.offset_range)
    reach = max(reach, 1.5 * step)
    if reach > 4 * step:
        reach /= 2
        step = max(step, reach / 4)
    if step > sampling.offset_step:
        step, reach = sampling.offset_step, sampling.offset_range
    order = sampling.order + 1
    sigma = 2 * fine_angle(order) if order >= plan.local_from_order else 0.0
    schedule = replace(schedule, without_gain=0, without_change=0)
    return schedule, replace(sampling, order=order, offset_step=step, offset_range=reach, sigma=sigma)


def is_converged(schedule: Schedule) -> bool:
    """Fine enough, and neither resolution nor poses have improved for an iteration."""
    return schedule.fine_enough and schedule.without_gain >= 1 and schedule.without_change >= 1


def start_schedule(box: int, pixel: float, plan: Plan) -> Schedule:
    """The first iteration looks as far as the starting map's low-pass."""
    shell = int(box * pixel / plan.initial_lowpass + 0.5)
    schedule = Schedule(resolution_shell=shell, current_size=0)
    return replace(schedule, current_size=image_size(schedule, box, 0.0))


