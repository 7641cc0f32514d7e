"""A map from particles whose poses are known."""

from verglas.methods.reconstruct.backproject import Grid, Halves, insert, sums_of_halves
from verglas.methods.reconstruct.solve import Result, solve

__all__ = ["Grid", "Halves", "Result", "insert", "solve", "sums_of_halves"]
