"""Classes judged by particles that did not make them.

A particle that contributes to a map finds its own noise there: the expected gain of its log-likelihood is the number of parameters that the
data determine over the number of particles of the class (the bias that Akaike's criterion corrects). A map of 40,000 parameters from 4,000
particles holds each of them with 10 units, one from 2,000 with 20: particles stay where they are, and small classes stay small. So once classes
have formed, the particles are divided at random into two halves, each half is compared with the references made from the other one, and they
are divided anew in every iteration, which keeps the classes and frames of both halves the same.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from verglas.core import reconstruct
from verglas.methods.classify import maximise
from verglas.methods.classify.state import ClassState
from verglas.methods.refine.expect import Belief, Task
from verglas.methods.refine.state import Alignment
from verglas.methods.refine.tally import Tally

FORMED = 0.25
"""Classes have formed when less than this part of the particles switches class in an iteration."""
Look = Callable[[Belief, Task], tuple[Tally, Alignment]]


def divide(count: int, random: torch.Generator) -> np.ndarray:
    """(N,) a half, 0 or 1, for each particle."""
    return torch.randint(0, 2, (count,), generator=random).numpy()


def expectation(look: Look, state: ClassState, belief: Belief, rows: np.ndarray, side: np.ndarray) -> tuple[list[Tally], Alignment]:
    """The tallies of both halves by `side` (N,), the next division; particles see the maps of the other half of the last division."""
    poses, tallies = state.alignment, []
    for half in (0, 1):
        mine, whole = rows[side[rows] == half], None
        for seen in (0, 1) if state.sides else (None,):
            some, maps = mine, belief.maps
            if state.sides is not None and seen is not None:
                some, maps = mine[state.sides.side[mine] == seen], tuple(state.sides.maps[seen])
            tally, poses = look(replace(belief, maps=maps), Task(some, poses))
            whole = tally if whole is None else joined(whole, tally)
        assert whole is not None
        tallies.append(whole)
    return tallies, poses


def joined(a: Tally, b: Tally) -> Tally:
    """Numbers and sums of both; the sums of `a` are changed."""
    for one, other in zip(a.sums, b.sums):
        reconstruct.add(one, other)
    return maximise.merged(a, b)
