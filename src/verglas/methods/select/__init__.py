"""Which rows of a table to keep: one of several particles at the same place, and parts of a set."""

from verglas.methods.select.duplicates import distinct
from verglas.methods.select.parts import parts

__all__ = ["distinct", "parts"]
