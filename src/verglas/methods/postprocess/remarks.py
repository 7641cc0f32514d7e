"""What a user should know about a post-processing result, in plain words."""

import math
from collections.abc import Iterator
from dataclasses import replace

from verglas.methods.postprocess.options import AutoB, NoB, Settings
from verglas.methods.postprocess.result import PostprocessResult


def remarks(result: PostprocessResult, settings: Settings) -> PostprocessResult:
    """The result with its warnings filled in."""
    return replace(result, warnings=(*_on_curves(result), *_on_sharpening(result, settings)))


def _on_curves(result: PostprocessResult) -> Iterator[str]:
    pixel, box = result.sharpened.pixel_size, result.sharpened.box
    if result.mask_use == "dropped":
        yield (
            "The FSC without the mask reaches further than with it, so the mask was not used for the resolution: "
            "check that it covers the whole particle and lies on these half maps."
        )
    if not math.isfinite(result.resolution):
        yield "The half maps do not agree even in the first shell (FSC below 0.143): there is no structure."
        return
    if result.resolution <= 2.0 * pixel * (1 + 1e-6):
        yield f"The FSC stays above 0.143 up to Nyquist ({2 * pixel:.2f} Å): the pixel size limits the resolution."
    randomised, shell = result.curves.randomised, round(box * pixel / result.resolution)
    if randomised is not None and result.mask_use == "used" and randomised[shell] > 0.1:
        yield (
            f"The phase-randomised maps still correlate at the final resolution (FSC {randomised[shell]:.2f} > 0.1): "
            "the mask is too tight or too sharp; use a wider soft edge."
        )


def _on_sharpening(result: PostprocessResult, settings: Settings) -> Iterator[str]:
    choice = settings.bfactor
    if isinstance(choice, NoB):
        yield "No B-factor was applied: the map is not sharpened."
    if not isinstance(choice, AutoB):
        return
    if result.guinier.fit is None:
        yield (
            f"No B-factor could be fitted: fewer than 3 shells are left finer than {choice.lowres:g} Å. The map is not "
            "sharpened; give a B-factor, or start the fit at a lower resolution."
        )
    elif result.bfactor > 0:
        yield f"The fitted B-factor is positive ({result.bfactor:.0f} Å²) and blurs: the maps may be sharpened already."
    elif result.resolution > 0.8 * choice.lowres:
        yield (
            f"The B-factor ({result.bfactor:.0f} Å²) rests on {result.guinier.fit.points} shells between "
            f"{choice.lowres:g} and {result.resolution:.1f} Å only; it is uncertain."
        )
