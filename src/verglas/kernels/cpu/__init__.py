"""numba versions of the hot operations, one file each, tested against `kernels.reference`."""
