"""Bytes <-> types: the only place that knows file formats. Nothing here computes science."""
