"""Posterior over the hypotheses of each image and the few that matter: the definitions, in plain torch.

Hypotheses of image n are logp[start[n]:start[n+1]].
"""

import torch
from torch import Tensor


def _image(start: Tensor) -> Tensor:
    return torch.repeat_interleave(torch.arange(len(start) - 1, device=start.device), start.diff())


def threshold(logp: Tensor, start: Tensor, fraction: float, most: int) -> tuple[Tensor, Tensor, Tensor]:
    """(least, evidence, best), each (N,).

    The most probable hypotheses of an image are taken until their sum exceeds `fraction` of the total or `most` are
    taken: `least` is the logp of the last one. evidence = log sum exp logp; best = index of the most probable.
    """
    image = _image(start)
    order = torch.argsort(logp, descending=True, stable=True)
    order = order[torch.argsort(image[order], stable=True)]
    best = order[start[:-1]]
    weight = torch.exp(logp[order].double() - logp[best].double()[image])
    total = torch.zeros(len(start) - 1, dtype=torch.float64, device=logp.device).index_add_(0, image, weight)
    before = weight.cumsum(0) - weight
    before = before - before[start[:-1]][image]
    rank = torch.arange(len(logp), device=logp.device) - start[:-1][image]
    keep = (before <= fraction * total[image]) & (rank < most)
    last = start[:-1] + torch.zeros_like(best).index_add_(0, image, keep.long()) - 1
    return logp[order[last]].double(), logp[best].double() + total.log(), best


def highest(logp: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """The largest logp of each image (N,) and its position (N,), the first one if it occurs twice."""
    image = _image(start)
    value = torch.full((len(start) - 1,), -torch.inf, device=logp.device).scatter_reduce_(0, image, logp, "amax")
    at = torch.nonzero(logp == value[image])[:, 0]
    where = torch.full((len(start) - 1,), len(logp), device=logp.device).scatter_reduce_(0, image[at], at, "amin")
    return value, where


def compact(logp: Tensor, start: Tensor, least: Tensor) -> tuple[Tensor, Tensor]:
    """Start (N+1,) and positions in logp (K,), rising, of the hypotheses that reach their image's threshold."""
    image = _image(start)
    keep = logp >= least[image]
    kept = torch.zeros_like(start)
    kept[1:] = torch.bincount(image[keep], minlength=len(start) - 1).cumsum(0)
    return kept, torch.nonzero(keep)[:, 0]


def weigh(logp: Tensor, start: Tensor, least: Tensor, evidence: Tensor) -> Tensor:
    """exp(logp - evidence) where the threshold is reached, else 0."""
    image = _image(start)
    return torch.where(logp >= least[image], torch.exp(logp.double() - evidence[image]).float(), 0.0)
