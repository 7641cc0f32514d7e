"""Which images were taken under the same optical conditions."""

from verglas.methods.optics.clusters import clusters

__all__ = ["clusters"]
