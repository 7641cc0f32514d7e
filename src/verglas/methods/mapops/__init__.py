"""Small operations on maps: look, change box and pixel, filter, symmetrise, mirror, compare."""

from verglas.methods.mapops.change import crop, flip_hand, lowpass_map, resize, symmetrise
from verglas.methods.mapops.compare import MapComparison, compare_maps
from verglas.methods.mapops.info import MapInfo, map_info

__all__ = [
    "MapComparison", "MapInfo", "compare_maps", "crop", "flip_hand", "lowpass_map", "map_info", "resize", "symmetrise",
]
