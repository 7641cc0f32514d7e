"""A soft solvent mask from a map, with a threshold found from the map itself."""

from verglas.methods.masking.diameter import visible_diameter
from verglas.methods.masking.make import MaskResult, lowpassed, make_mask, mask_from_density, mask_from_set
from verglas.methods.masking.threshold import Threshold, auto_threshold

__all__ = ["MaskResult", "Threshold", "auto_threshold", "lowpassed", "make_mask", "mask_from_density", "mask_from_set", "visible_diameter"]
