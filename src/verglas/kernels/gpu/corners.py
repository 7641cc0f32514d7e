"""The neighbours of a position in a half Fourier volume and their linear weights; the definition is `kernels.reference.corners`."""

# mypy: ignore-errors

import triton
import triton.language as tl


@triton.jit
def locate(axes, k, r, p, used, size, FLAT: tl.constexpr):
    """Positions of the pixels p (BLOCK,) of slice r: x, y, z from the corner of the volume, sign of the imaginary part, and whether inside."""
    kx = tl.load(k + 2 * p, mask=used, other=0.0)
    ky = tl.load(k + 2 * p + 1, mask=used, other=0.0)
    u = axes + 6 * r
    x = tl.load(u) * kx + tl.load(u + 3) * ky
    y = tl.load(u + 1) * kx + tl.load(u + 4) * ky
    z = tl.zeros_like(x)
    if not FLAT:
        z = tl.load(u + 2) * kx + tl.load(u + 5) * ky
    centre = (size // 2).to(tl.float32)
    inside = used & (x * x + y * y + z * z <= (centre - 1.5) * (centre - 1.5))
    sign = tl.where(x < 0, -1.0, 1.0)
    x = tl.where(inside, x * sign, 0.0)
    y = tl.where(inside, y * sign, 0.0) + centre
    z = tl.where(inside, z * sign, 0.0) + centre
    return x, y, z, sign, inside


@triton.jit
def corner(x, y, z, size, half, FLAT: tl.constexpr, NUMBER: tl.constexpr):
    """Flat index (BLOCK,) and weight (BLOCK,) of neighbour NUMBER = dx + 2 dy + 4 dz."""
    dx: tl.constexpr = NUMBER % 2
    dy: tl.constexpr = NUMBER // 2 % 2
    dz: tl.constexpr = NUMBER // 4
    ix = x.to(tl.int32)
    iy = y.to(tl.int32)
    fx = x - ix.to(tl.float32)
    fy = y - iy.to(tl.float32)
    weight = (fx if dx == 1 else 1.0 - fx) * (fy if dy == 1 else 1.0 - fy)
    plane = (iy + dy).to(tl.int64)
    if not FLAT:
        iz = z.to(tl.int32)
        fz = z - iz.to(tl.float32)
        weight *= fz if dz == 1 else 1.0 - fz
        plane += (iz + dz).to(tl.int64) * size
    return plane * half + ix + dx, weight
