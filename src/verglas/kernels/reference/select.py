"""Posterior over the hypotheses of each image and the few that matter: the definition, in plain torch."""

import torch
from torch import Tensor


def select(logp: Tensor, start: Tensor, fraction: float, most: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The most probable hypotheses of each image, until their sum exceeds `fraction` of the total or `most` are taken.

    Hypotheses of image n are logp[start[n]:start[n+1]]. Returns: start of the kept ones (N+1,), their index into logp in rising
    order (K,), their probability normalised by the sum over ALL hypotheses (K,), log sum exp logp (N,) and the index of the best (N,).
    """
    images = len(start) - 1
    image = torch.repeat_interleave(torch.arange(images, device=logp.device), start.diff())
    order = torch.argsort(logp, descending=True, stable=True)
    order = order[torch.argsort(image[order], stable=True)]
    best = order[start[:-1]]
    weight = torch.exp(logp[order].double() - logp[best].double()[image])
    total = torch.zeros(images, dtype=torch.float64, device=logp.device).index_add_(0, image, weight)
    before = weight.cumsum(0) - weight
    before = before - before[start[:-1]][image]
    rank = torch.arange(len(logp), device=logp.device) - start[:-1][image]
    keep = (before <= fraction * total[image]) & (rank < most)
    index, by = torch.sort(order[keep])
    kept = torch.zeros(images + 1, dtype=torch.int64, device=logp.device)
    kept[1:] = torch.bincount(image[keep], minlength=images).cumsum(0)
    probability = (weight / total[image])[keep][by].float()
    return kept, index, probability, logp[best].double() + total.log(), best
