"""The M-step of a classification: references by Wiener filtering (EM) or by a step along their gradient (VDAM), and the shared parameters."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from verglas.core import projection, reconstruct
from verglas.core.mask import soft_sphere
from verglas.core.reconstruct import Sums, columns
from verglas.core.shells import shell_sum
from verglas.core.symmetry import operators
from verglas.methods.classify.plan import ClassPlan
from verglas.methods.classify.state import Classes, Momentum
from verglas.methods.refine import maximise
from verglas.methods.refine.maximise import Solved
from verglas.methods.refine.plan import MASK_EDGE_PX
from verglas.methods.refine.tally import Tally
from verglas.runtime.group import Group

FIRST_MEMORY, SECOND_MEMORY = 0.9, 0.999
"""What is kept of the moments of the gradient in every iteration."""
TINY = 1e-12
Moments = tuple[Tensor, Tensor, Tensor]
"""First moments of both halves and the second moment, of the band of one class."""
REGROWTH = 0.9
"""First moment of a replaced class, relative to that of the class it was copied from."""


def reference_power(volume: Tensor, padding: float, shells: int) -> np.ndarray:
    """(B//2+1,) mean |F|^2 / 2 per shell of a reference as it is projected: tau2 of a model without half sets."""
    reference = projection.prepare_reference(volume, padding, shells)
    as_sums = Sums(reference.volume, reference.volume.abs() ** 2, reference.box, reference.padding, reference.shells)
    return reconstruct.average_weight(as_sums).numpy() / as_sums.finer / 2


def em_maps(tallies: Sequence[Tally], model: Classes, plan: ClassPlan, tau: float, group: Group) -> tuple[Classes, np.ndarray]:
    """V = data / (weight + 1/(T tau2)) for every class, from all H tallies together and from each alone (H, K, B, B, B).

    A class without particles becomes zero. The sums of the first tally become those of all.
    """

    def solved(k: int) -> tuple[Solved, list[Tensor]]:
        sums = [tally.sums[k] for tally in tallies]
        tau2 = tau * reference_power(torch.from_numpy(model.maps[k]), plan.search.padding, sums[0].shells)
        parts = []
        for tally, one in zip(tallies, sums):
            reconstruct.complete(one, operators(plan.search.symmetry))
            empty = tally.direction[k].sum() <= 0
            parts.append(torch.zeros(model.maps[k].shape) if empty else reconstruct.solve(one, torch.from_numpy(tau2)))
        for other in sums[1:]:
            reconstruct.add(sums[0], other)
        empty = sum(tally.direction[k].sum() for tally in tallies) <= 0
        whole = parts[0] if empty or len(sums) == 1 else reconstruct.solve(sums[0], torch.from_numpy(tau2))
        return _with_spectra(whole, tau2, sums[0]), parts

    found = group.divide(len(tallies[0].sums), solved)
    parts = torch.stack([torch.stack(one) for _, one in found], dim=1).numpy()
    return _with_maps(model, [one for one, _ in found]), parts


def _with_spectra(volume: Tensor, tau2: np.ndarray, sums: Sums) -> Solved:
    weight = reconstruct.average_weight(sums).numpy()
    return Solved(volume, tau2, tau2 * weight, 1 / np.maximum(weight, 1e-30))


def _with_maps(model: Classes, found: list[Solved]) -> Classes:
    maps = torch.stack([one.map for one in found]).numpy()
    tau2, ssnr, sigma2 = (np.array([getattr(one, name) for one in found]) for name in ("tau2", "ssnr", "sigma2"))
    return replace(model, maps=maps, tau2=tau2, ssnr=ssnr, sigma2_reference=sigma2)


def new_momentum(model: Classes, box: int, padding: float) -> Momentum:
    """Before the first gradient: first moments 0, second moments 1."""
    empty = reconstruct.empty_sums(box, padding, box // 2, flat=model.maps.shape[1] == 1).data
    count = len(model.maps)
    return Momentum(np.zeros((count, 2, *empty.shape), np.complex64), np.ones((count, *empty.shape), np.float32))


def vdam_maps(
    halves: tuple[Tally, Tally], model: Classes, momentum: Momentum, plan: ClassPlan, step: float, tau: float, group: Group
) -> tuple[Classes, Momentum]:
    """One step along the gradient of every class; `halves`: the even and the odd particles of the mini-batch.

    g = data / max(1, weight) per half, moments m and v, G = (mA + mB)/2 / sqrt(v); V <- V + step_k (f G - (1 - f) V) with
    f = snr / (1 + snr), snr = 2 T |V| / |mA - mB| per shell and step_k = step (1 - exp(-(3 K + 10) share_k)).
    """
    first, second = momentum.first.copy(), momentum.second.copy()
    share = (halves[0].direction + halves[1].direction).sum(1)
    share = share / max(share.sum(), 1e-30)
    at = _window(first.shape[2:], halves[0].sums[0].data.shape)

    def stepped(k: int) -> tuple[Solved, Moments | None]:
        pair = (halves[0].sums[k], halves[1].sums[k])
        for sums in pair:
            reconstruct.complete(sums, operators(plan.search.symmetry))
        volume = torch.from_numpy(model.maps[k])
        tau2 = tau * reference_power(volume, plan.search.padding, pair[0].shells)
        if share[k] <= 0:
            return _with_spectra(volume, tau2, pair[0]), None
        ma, mb = (_first_moment(torch.from_numpy(first[k, h][at]), sums) for h, sums in enumerate(pair))
        moments = (ma, mb, _second_moment(torch.from_numpy(second[k][at]), pair))
        rate = step * (1 - np.exp(-(3 * len(model.maps) + 10) * share[k]))
        return _with_spectra(_stepped(volume, pair[0], moments, rate, tau), tau2, pair[0]), moments

    found = group.divide(len(model.maps), stepped)
    for k, (_, moments) in enumerate(found):
        if moments is not None:
            first[k, 0][at], first[k, 1][at], second[k][at] = (one.numpy() for one in moments)
    return _with_maps(model, [one for one, _ in found]), Momentum(first, second)


def _window(full: tuple[int, ...], part: torch.Size) -> tuple[slice, slice, slice]:
    """Where a smaller centred half volume lies in a larger one."""
    z, y = ((f - p) // 2 for f, p in zip(full[:2], part[:2]))
    return slice(z, z + part[0]), slice(y, y + part[1]), slice(0, part[2])


def _gradient(sums: Sums) -> Tensor:
    return sums.data / sums.weight.clamp(min=1.0)


def _first_moment(old: Tensor, sums: Sums) -> Tensor:
    """m <- 0.9 m + 0.1 g; the first g itself."""
    g = _gradient(sums)
    return g if bool((old == 0).all()) else FIRST_MEMORY * old + (1 - FIRST_MEMORY) * g


def _second_moment(old: Tensor, pair: tuple[Sums, Sums]) -> Tensor:
    """v <- 0.999 v + 0.001 |gB - gA|^2 / |(gA + gB)/2|^2."""
    a, b = (_gradient(sums) for sums in pair)
    spread = (b - a).abs() ** 2 / (((a + b) / 2).abs() ** 2 + TINY)
    return SECOND_MEMORY * old + (1 - SECOND_MEMORY) * spread


def _stepped(volume: Tensor, sums: Sums, moments: Moments, rate: float, tau: float) -> Tensor:
    """V + rate (f G - (1 - f) V) within the band; what lies beyond it is lost."""
    ma, mb, v = moments
    reference = projection.prepare_reference(volume, sums.padding, sums.shells, correct=False)
    signal, noise, count = torch.zeros(3, sums.shells + 1, dtype=torch.float64)
    for part in columns(sums):
        shell = (part.radius / sums.padding + 0.5).long()
        shell[part.radius >= round(sums.padding * sums.shells)] = sums.shells + 1
        signal += shell_sum(reference.volume[..., part.x].abs(), shell, len(signal))
        noise += shell_sum((ma - mb)[..., part.x].abs(), shell, len(signal))
        count += shell_sum(torch.ones(shell.shape), shell, len(signal))
    snr = 2 * tau * signal / noise.clamp(min=1e-30)
    f = (snr / (1 + snr)).float()
    direction = (ma + mb) / 2 / (v.sqrt() + TINY)

    def spectrum(part: reconstruct.Columns) -> Tensor:
        old = reference.volume[..., part.x]
        some = f[(part.radius / sums.padding + 0.5).long().clamp(max=sums.shells)]
        new = old + rate * (some * direction[..., part.x] - (1 - some) * old)
        return new * (part.radius < round(sums.padding * sums.shells))

    return reconstruct.to_map((spectrum(part) for part in columns(sums)), sums.box, sums.padding, correct=False)


def inactive(model: Classes, momentum: Momentum, threshold: float) -> tuple[int, int] | None:
    """(class to be replaced, class to copy): the smallest class if it has less than `threshold` of an even share, and the one that moves most."""
    share = model.shares
    active = int((share > 0).sum())
    least = int(share.argmin())
    if len(share) < 2 or share[least] >= threshold / max(active, 1):
        return None
    move = np.array([(np.abs((m[0] + m[1]) / 2) ** 2).mean() for m in momentum.first]) * share
    best = int(move.argmax())
    return None if best == least else (least, best)


def replaced(model: Classes, momentum: Momentum, least: int, best: int) -> tuple[Classes, Momentum]:
    """Class `least` starts again as a copy of `best`, each with half of its particles."""
    columns = {name: getattr(model, name).copy() for name in ("maps", "tau2", "ssnr", "sigma2_reference", "prior", "accuracy")}
    for column in columns.values():
        column[least] = column[best]
    columns["prior"][[least, best]] /= 2
    columns["prior"] /= columns["prior"].sum()
    first, second = momentum.first.copy(), momentum.second.copy()
    first[least], second[least] = REGROWTH * first[best], second[best]
    return replace(model, **columns), Momentum(first, second)


def flattened(maps: np.ndarray, plan: ClassPlan, pixel: float, mask: np.ndarray | None) -> np.ndarray:
    """Solvent set to 0: the user's mask, or a soft circle or sphere of the particle's diameter."""
    if mask is None:
        radius = plan.search.diameter / (2 * pixel)
        mask = soft_sphere(maps.shape[-1], radius, MASK_EDGE_PX, 2 if plan.flat else 3).numpy()
    return np.asarray((np.maximum(maps, 0) if plan.non_negative else maps) * mask)


def centred(model: Classes, momentum: Momentum | None, plan: ClassPlan, pixel: float) -> tuple[Classes, Momentum | None]:
    """2D averages with the centre of mass of their positive pixels in the middle, moved by whole pixels within the offset range."""
    maps, first = model.maps.copy(), None if momentum is None else momentum.first.copy()
    box, limit = maps.shape[-1], plan.search.offset_range / pixel
    least = max(0.01 * plan.search.diameter / pixel, 2.0) if momentum is not None else 0.5
    axis = np.arange(box) - box // 2
    for k, image in enumerate(maps[:, 0]):
        positive = np.maximum(image, 0)
        com = np.array([(positive * axis[None]).sum(), (positive * axis[:, None]).sum()]) / max(float(positive.sum()), 1e-30)
        length = float(np.hypot(*com))
        if length < least:
            continue
        dx, dy = (round(-c) for c in com * min(1.0, limit / length))
        maps[k, 0] = np.roll(image, (dy, dx), axis=(0, 1))
        if first is not None:
            padding = projection.padded_box(box, plan.search.padding) / box
            ky = (np.arange(first.shape[-2]) - first.shape[-2] // 2) / padding
            kx = np.arange(first.shape[-1]) / padding
            first[k] *= np.exp(-2j * np.pi * (ky[:, None] * dy + kx * dx) / box).astype(np.complex64)
    return replace(model, maps=maps), momentum if first is None or momentum is None else Momentum(first, momentum.second)


def merged(a: Tally, b: Tally) -> Tally:
    """The numbers of both halves of a mini-batch; the sums stay apart."""
    added = ("noise", "images", "xa", "aa", "direction", "residual", "classes", "offset2", "pmax", "log_likelihood", "particles")
    return replace(a, pixels=np.maximum(a.pixels, b.pixels), **{name: getattr(a, name) + getattr(b, name) for name in added})


def shared(model: Classes, tally: Tally, plan: ClassPlan, members: np.ndarray, keep: float, noise: bool) -> Classes:
    """Class and direction priors, noise, scales, offsets: keep x old + (1 - keep) x new. `noise` False: noise and scales stay."""
    n = max(tally.particles, 1)
    direction = tally.direction / max(tally.direction.sum(), 1e-30)
    old = model.prior if model.prior.shape == direction.shape else direction
    changed = {
        "prior": keep * old + (1 - keep) * direction, "average_pmax": tally.pmax / n, "log_likelihood": tally.log_likelihood,
        "sigma2_offset": max(keep * model.sigma2_offset + (1 - keep) * tally.offset2 / (2 * n), maximise.MIN_OFFSET_VARIANCE),
    }
    if noise:
        changed["sigma2"] = keep * model.sigma2 + (1 - keep) * maximise.noise_spectra(tally, model.sigma2)
        if plan.search.correct_scale:
            changed["scale"] = keep * model.scale + (1 - keep) * maximise.group_scales(tally, members, model.scale)
    return replace(model, **changed)
