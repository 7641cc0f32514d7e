"""The few hot operations: one signature each, chosen by the device of the tensors.

On the CPU the numba versions of `kernels.cpu` run; elsewhere the plain torch definitions of `kernels.reference`.
Shapes: N images, R or U slices, T shifts, P band pixels, S shells, K pairs, L hypotheses; see the definitions for the equations.
"""

import numpy as np
import torch
from torch import Tensor

from verglas.kernels import reference


def _np(x: Tensor) -> np.ndarray:
    x = torch.view_as_real(x) if x.is_complex() else x
    return x.contiguous().numpy()


def _flat(x: Tensor) -> np.ndarray:
    """(N, P) complex64 as (N, 2P) float32."""
    return _np(x).reshape(x.shape[0], -1)


def cut(volume: Tensor, axes: Tensor, k: Tensor) -> Tensor:
    """Slices (R, P) of volume (D, D, H); see `reference.cut`."""
    if volume.is_cuda:
        return reference.cut(volume, axes, k)
    from verglas.kernels.cpu import slice as cpu

    out = torch.empty(len(axes), len(k), dtype=torch.complex64)
    cpu.cut(_np(volume), _np(axes), _np(k), _flat(out))
    return out


def insert(data: Tensor, weight: Tensor, values: Tensor, weights: Tensor, axes: Tensor, k: Tensor) -> None:
    """Add slices to data and weight (D, D, H) in place; the transpose of `cut`; see `reference.add`."""
    if data.is_cuda:
        return reference.add(data, weight, values, weights, axes, k)
    from verglas.kernels.cpu import insert as cpu

    return cpu.add(_np(data), _np(weight), _flat(values), _np(weights), _np(axes), _np(k), torch.get_num_threads())


def score(slices: Tensor, a: Tensor, b: Tensor, shifts: Tensor, image: Tensor, cut: Tensor, start: Tensor, shift: Tensor) -> Tensor:
    """Log-likelihoods (L,) of chosen triples; see `reference.score`."""
    if a.is_cuda:
        return reference.score(slices, a, b, shifts, image, cut, start, shift)
    from verglas.kernels.cpu import score as cpu

    out = torch.empty(len(shift))
    cpu.score(_flat(slices), _flat(a), _np(b), _flat(shifts), _np(image), _np(cut), _np(start), _np(shift), _np(out))
    return out


def backproject(
    x: Tensor, b: Tensor, shifts: Tensor, image: Tensor, start: Tensor, shift: Tensor, weight: Tensor, order: Tensor, bounds: Tensor
) -> tuple[Tensor, Tensor]:
    """Sums of weighted shifted images per slice; see `reference.backproject`."""
    if x.is_cuda:
        return reference.backproject(x, b, shifts, image, start, shift, weight, order, bounds)
    from verglas.kernels.cpu import give as cpu

    data = torch.empty(len(bounds) - 1, x.shape[1], dtype=torch.complex64)
    power = torch.empty(len(bounds) - 1, x.shape[1])
    cpu.backproject(
        _flat(x), _np(b), _flat(shifts), _np(image), _np(start), _np(shift), _np(weight), _np(order), _np(bounds), _flat(data), _np(power)
    )
    return data, power


def cross(
    slices: Tensor, a: Tensor, b: Tensor, shifts: Tensor, cut: Tensor, start: Tensor, shift: Tensor, weight: Tensor, rows: Tensor, shells: Tensor
) -> tuple[Tensor, Tensor]:
    """Cross and model power per image and shell; see `reference.cross`."""
    if a.is_cuda:
        return reference.cross(slices, a, b, shifts, cut, start, shift, weight, rows, shells)
    from verglas.kernels.cpu import give as cpu

    xa, aa = torch.empty(2, len(rows) - 1, len(shells) - 1)
    cpu.cross(
        _flat(slices), _flat(a), _np(b), _flat(shifts), _np(cut), _np(start), _np(shift), _np(weight), _np(rows), _np(shells), _np(xa), _np(aa)
    )
    return xa, aa


def select(logp: Tensor, start: Tensor, fraction: float, most: int = 1 << 62) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The hypotheses that matter for each image and their posterior; see `reference.select`."""
    if logp.is_cuda:
        return reference.select(logp, start, fraction, most)
    from verglas.kernels.cpu import select as cpu

    kept, index, probability, evidence, best = cpu.select(_np(logp), _np(start), fraction, most)
    return torch.from_numpy(kept), torch.from_numpy(index), torch.from_numpy(probability), torch.from_numpy(evidence), torch.from_numpy(best)


def symmetrise(data: Tensor, weight: Tensor, operators: Tensor, radius: float) -> tuple[Tensor, Tensor]:
    """Sums over a point group (D, D, H); see `reference.symmetrise`."""
    if data.is_cuda:
        return reference.symmetrise(data, weight, operators, radius)
    from verglas.kernels.cpu import symmetrise as cpu

    new_data, new_weight = torch.zeros_like(data), torch.zeros_like(weight)
    cpu.symmetrise(_np(data), _np(weight), _np(operators.float()), radius, _np(new_data), _np(new_weight))
    return new_data, new_weight
