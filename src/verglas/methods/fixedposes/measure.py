"""What is told of an iteration: sizes, switches, certainty, and how much the maps move or differ."""

from dataclasses import dataclass

import numpy as np
import torch

from verglas.core.filters import apply_shells
from verglas.core.fsc import fsc
from verglas.core.projection import prepare_reference
from verglas.methods.fixedposes.images import Images
from verglas.methods.fixedposes.maximise import smooth
from verglas.methods.fixedposes.model import Model
from verglas.methods.refine import accuracy
from verglas.methods.refine.images import contrast

LEAST = 0.05
"""An FSC below this is taken as none."""
FLOOR = 1e-6
"""Probabilities are at least this large in a divergence."""


@dataclass(frozen=True)
class Numbers:
    """sizes (K,) shares of the particles by their best class; flow (K, K) particles from row to column; switches: the share that moved.

    ess: mean effective number of classes of a particle, 1 / sum p^2; kl: mean divergence of the posteriors from the last ones;
    density: RMS change of the class maps over the RMS of the consensus, weighted by class sizes; pmax: mean largest probability.
    """

    sizes: np.ndarray
    flow: np.ndarray
    switches: float
    ess: float
    kl: float
    density: float
    pmax: float


def numbers(posterior: np.ndarray, before: np.ndarray | None, maps: tuple[np.ndarray, np.ndarray], consensus: np.ndarray) -> Numbers:
    """`posterior` (n, K) now and before (None: there is no before); maps (K, m, m, m) before and now."""
    now, count = posterior.argmax(1), posterior.shape[1]
    sizes = np.bincount(now, minlength=count) / max(len(now), 1)
    flow, switches, divergence = np.diag(sizes * len(now)).astype(np.int64), 1.0, float("nan")
    if before is not None:
        flow = class_flow(before.argmax(1), now, count)
        switches = 1.0 - float(np.trace(flow)) / max(len(now), 1)
        divergence = kl(posterior, before)
    return Numbers(sizes, flow, switches, float(ess(posterior).mean()), divergence, density_change(*maps, consensus, sizes),
                   float(posterior.max(1).mean()))


def ess(posterior: np.ndarray) -> np.ndarray:
    """(n,) effective number of classes, 1 / sum_k p_k^2: 1 for a certain particle, K for one that fits all alike."""
    return np.asarray(1.0 / np.maximum((posterior.astype(np.float64) ** 2).sum(1), FLOOR))


def kl(now: np.ndarray, before: np.ndarray) -> float:
    """Mean over particles of sum_k p log(p / q), p now and q before."""
    p, q = (np.maximum(one.astype(np.float64), FLOOR) for one in (now, before))
    return float((now * np.log(p / q)).sum(1).mean())


def class_flow(before: np.ndarray, now: np.ndarray, count: int) -> np.ndarray:
    """(K, K) particles that were in the class of the row and are in that of the column."""
    return np.bincount(before * count + now, minlength=count * count).reshape(count, count)


def density_change(old: np.ndarray, new: np.ndarray, consensus: np.ndarray, sizes: np.ndarray) -> float:
    """sum_k size_k RMS(new_k - old_k) / RMS(consensus), means over all voxels."""
    if old.shape != new.shape:
        return float("nan")
    each = np.sqrt(((new - old) ** 2).mean((1, 2, 3), dtype=np.float64))
    return float((sizes * each).sum() / max(float(np.sqrt((consensus.astype(np.float64) ** 2).mean())), 1e-30))


def pose_accuracy(images: Images, model: Model, posterior: np.ndarray, padding: float, generator: torch.Generator) -> np.ndarray:
    """(K, 2) expected errors of angle (rad) and offset (Å) by what was compared, from some particles of every class; inf without any."""
    out, best, shells = np.full((model.classes, 2), np.inf), posterior.argmax(1), images.grid.shells
    particles = images.particles
    for k, volume in enumerate(model.maps):
        rows = np.flatnonzero(best == k)[: accuracy.PARTICLES]
        if len(rows) == 0:
            continue
        g = int(particles.optics_index[rows[0]])
        rows, geo = rows[particles.optics_index[rows] == g], images.geometry[g]
        c = contrast(geo, particles.take(rows), np.ones(len(particles.group_names)), images.options)
        power = (c * torch.from_numpy(model.scale[rows]).float()[:, None]).square_() / torch.from_numpy(model.sigma2[g]).float()[geo.band.shell]
        power[:, geo.band.shell < images.grid.first] = 0
        reference = prepare_reference(torch.from_numpy(volume), padding, shells)
        out[k] = accuracy.expected_errors(reference, torch.from_numpy(particles.poses.angles[rows]), power, geo, generator, group=images.share.group)
    return out


@dataclass(frozen=True)
class Contrast:
    """Two classes: RMS of their difference over that of random sets of as many particles, where (in shells) the halves of the data agree best,
    and the correlation of the differences that the halves show there."""

    first: int
    second: int
    over_noise: float
    correlation: float


def contrasts(halves: np.ndarray, posterior: np.ndarray, focus: np.ndarray, first: int = 1) -> tuple[Contrast, ...]:
    """All pairs of classes from the undamped half maps (K, 2, m, m, m) and posteriors (N, K), within the focus mask, from shell `first` on.

    The noise of a class map is that of (h1 - h2) / 2. It falls with sum p^2 / (sum p)^2, so that of a random set of sum p whole particles is
    sum p / sum p^2 times as strong (in power); two such sets differ by the sum of theirs. Both this and the difference of the classes are
    filtered with the FSC of the differences that the halves show; where that is 0 everywhere the ratio is 0.
    """
    maps = torch.from_numpy(halves * focus)
    total = posterior.sum(0, dtype=np.float64)
    whole = total / np.maximum((posterior.astype(np.float64) ** 2).sum(0), FLOOR)
    out = []
    for k in range(len(halves)):
        for l in range(k + 1, len(halves)):
            pair = maps[k] - maps[l]
            curve = smooth(fsc(pair[0], pair[1]), first, pair.shape[-1] // 2)
            curve[:first] = 0.0
            curve[curve < LEAST] = 0.0
            noise = sum(whole[j] * _power((maps[j, 0] - maps[j, 1]) / 2, curve) for j in (k, l))
            ratio = _power(pair.mean(0), curve) / noise if noise > 0 else 0.0
            one, two = apply_shells(pair, curve).double()
            size = float((one.square().mean() * two.square().mean()).sqrt())
            out.append(Contrast(k, l, float(ratio**0.5), float((one * two).mean()) / size if size > 0 else 0.0))
    return tuple(out)


def _power(volume: torch.Tensor, curve: torch.Tensor) -> float:
    return float(apply_shells(volume, curve).double().square().mean())


def information(posterior: np.ndarray) -> float:
    """What an image tells of its class: mean of sum_k p log(p / size_k) over the entropy of the sizes; 0 nothing, 1 everything."""
    p = posterior.astype(np.float64)
    sizes = np.maximum(p.mean(0), FLOOR)
    entropy = -float((sizes * np.log(sizes)).sum())
    told = float((p * np.log(np.maximum(p, FLOOR) / sizes)).sum(1).mean())
    return told / entropy if entropy > FLOOR else 0.0


CLEAR, TELLING = 2.0, 0.15
"""Classes are different when their maps differ this many times more than random sets, and images tell this share of their class."""


def sameness(pairs: tuple[Contrast, ...], told: float) -> tuple[str, ...]:
    """Warnings, in words: classes that are the same map within noise, or that the images cannot tell apart."""
    alike = [f"{one.first + 1} and {one.second + 1}" for one in pairs if one.over_noise < CLEAR]
    if pairs and len(alike) == len(pairs):
        return (f"the classes are the same map within noise: no two differ by more than {max(one.over_noise for one in pairs):.2f} times what random "
                f"sets of as many particles differ by, and an image tells {100 * told:.0f} % of its class; the particles may be "
                "homogeneous, or the change too small for so few of them",)
    if told < TELLING:
        return (f"the classes are the same map as far as the images can tell: on average an image tells {100 * told:.0f} % of its class; "
                "differences between the class maps may come from varying intensity or ice rather than from shape",)
    return (f"classes {', '.join(alike)} are the same map within noise: fewer classes may be enough",) if alike else ()
