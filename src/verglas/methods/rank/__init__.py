"""How good 2D class averages are: features that do not depend on grey scale or pixel size, and a score from 0 to 1."""

from verglas.methods.rank.features import FEATURES, features
from verglas.methods.rank.gallery import gallery
from verglas.methods.rank.prepare import disc_radius, prepare
from verglas.methods.rank.score import Ranker, load_ranker

__all__ = ["FEATURES", "Ranker", "disc_radius", "features", "gallery", "load_ranker", "prepare"]
