"""Post-processing, step by step."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from verglas.core.fsc import resolution_at
from verglas.methods.postprocess.check import check_halves, check_mask, check_mtf
from verglas.methods.postprocess.curves import box_share_by_weight, box_share_of_mask, fsc_curves
from verglas.methods.postprocess.options import AutoB, Settings
from verglas.methods.postprocess.remarks import remarks
from verglas.methods.postprocess.result import FscCurves, Guinier, PostprocessResult
from verglas.methods.postprocess.sharpen import apply_b, chosen_b, divide_by_mtf, guinier_fit, log_amplitudes, weigh
from verglas.types import Map

GOLD = 0.143
"""FSC between half maps at the resolution (Rosenthal & Henderson 2003)."""
MaskUse = Literal["none", "used", "dropped"]


def postprocess(
    half1: Map, half2: Map, mask: Map | None = None, settings: Settings | None = None, device: str = "cpu"
) -> PostprocessResult:
    """FSC, resolution, and the sharpened average of two unfiltered half maps.

    Average -> divide by MTF -> FSC weight -> Guinier fit -> exp(-B s^2/4). The pixel size of `half1` counts: for a
    calibrated one give `dataclasses.replace(half1, pixel_size=...)` (and half2, mask likewise).
    """
    settings = settings or Settings()
    check_halves(half1, half2)
    check_mtf(settings.mtf)
    if mask is not None:
        check_mask(mask, half1)
    h1, h2 = (torch.from_numpy(m.data.astype(np.float32)).to(device) for m in (half1, half2))
    m = None if mask is None else torch.from_numpy(mask.data.astype(np.float32)).to(device)
    curves = fsc_curves(h1, h2, m, half1.pixel_size, settings)
    return _finish(half1, (h1, h2, m), curves, settings)


def _finish(
    like: Map, tensors: tuple[Tensor, Tensor, Tensor | None], curves: FscCurves, settings: Settings
) -> PostprocessResult:
    """The second half of `postprocess`: read the resolution, sharpen, collect."""
    h1, h2, m = tensors
    box, pixel = like.box, like.pixel_size
    use = mask_use(curves, box, pixel, settings.mask_even_if_worse)
    final = curves.unmasked if use == "dropped" else curves.true
    resolution = _resolution(final, GOLD, box, pixel)
    sharpened, guinier, b = sharpen((h1 + h2) / 2, pixel, final, resolution, settings)
    result = PostprocessResult(
        sharpened=_map(sharpened, like),
        masked=None if m is None else _map(sharpened * m, like),
        curves=curves,
        guinier=guinier,
        resolution=resolution,
        resolution_half=_resolution(final, 0.5, box, pixel),
        resolution_unmasked=_resolution(curves.unmasked, GOLD, box, pixel),
        bfactor=b,
        randomise_resolution=None if curves.randomise_shell is None else box * pixel / curves.randomise_shell,
        solvent_fraction=None if m is None else box_share_of_mask(m),
        weight_fraction=box_share_by_weight(box, pixel, settings.molecular_weight),
        mask_use=use,
        warnings=(),
    )
    return remarks(result, settings)


def sharpen(
    average: Tensor, pixel: float, curve: np.ndarray, resolution: float, settings: Settings
) -> tuple[Tensor, Guinier, float]:
    """The sharpened map of an average (B, B, B), its Guinier plot, and the B used (Å^2)."""
    box = average.shape[-1]
    raw = torch.fft.rfftn(average) / box**3
    corrected = raw if settings.mtf is None else divide_by_mtf(raw, pixel, settings.mtf)
    weighted = weigh(corrected, pixel, settings.weighting, curve, resolution)
    x = (np.arange(box // 2 + 1) / (box * pixel)) ** 2
    y = log_amplitudes(weighted)
    fit = guinier_fit(x, y, settings.bfactor) if isinstance(settings.bfactor, AutoB) else None
    b = chosen_b(settings.bfactor, fit)
    final = apply_b(weighted, pixel, b)
    mtf_line = None if settings.mtf is None else log_amplitudes(corrected)
    guinier = Guinier(x, log_amplitudes(raw), mtf_line, y, log_amplitudes(final), fit)
    return torch.fft.irfftn(final * box**3, s=average.shape), guinier, b


def mask_use(curves: FscCurves, box: int, pixel: float, keep: bool) -> MaskUse:
    """Whether the masked curve counts: it does unless the unmasked one reaches further (or the mask is to be kept)."""
    if curves.masked is None:
        return "none"
    worse = _resolution(curves.true, GOLD, box, pixel) > _resolution(curves.unmasked, GOLD, box, pixel)
    return "dropped" if worse and not keep else "used"


def _resolution(curve: np.ndarray, threshold: float, box: int, pixel: float) -> float:
    return resolution_at(torch.from_numpy(curve), threshold, box, pixel)


def _map(data: Tensor, like: Map) -> Map:
    return Map(data.numpy(force=True).astype(np.float32), like.pixel_size, like.origin)
