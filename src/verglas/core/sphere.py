"""HEALPix directions in NEST numbering (Gorski et al. 2005, ApJ 622:759): the children of pixel p are 4p .. 4p + 3.

The sphere is 12 base faces. A face is the unit square (u, v), u to the north-east and v to the north-west; faces
are laid on a plane with longitude t = 2 phi / pi (one face diagonal per quarter turn) and height h from +2 at the
north pole to -2 at the south pole. For |h| <= 1, cos(theta) = 2 h / 3; nearer the poles, with q = 2 - |h|,
|cos(theta)| = 1 - q^2 / 3, and meridians converge by q.
"""

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

_ALTERNATE = 0x5555555555555555
"""Bits 0, 2, 4, ..."""
_PACKED = (0x3333333333333333, 0x0F0F0F0F0F0F0F0F, 0x00FF00FF00FF00FF, 0x0000FFFF0000FFFF, 0xFFFFFFFF)
"""Where those bits stand while they are gathered into groups of 2, 4, 8, 16, 32."""
_FACE_LONGITUDE = np.array([1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7]) / 2.0
_FACE_HEIGHT = np.array([1, 1, 1, 1, 0, 0, 0, 0, -1, -1, -1, -1], dtype=np.float64)


def npix(order: int) -> int:
    """Number of pixels on the sphere, 12 * 4^order."""
    return 12 * 4**order


def children(pixels: IntArray, levels: int = 1) -> IntArray:
    """NEST numbers (..., 4^levels), `levels` orders finer, of the pixels inside each given pixel (...)."""
    return np.asarray(pixels, dtype=np.int64)[..., None] * 4**levels + np.arange(4**levels, dtype=np.int64)


def pix2ang_nest(order: int, pixels: IntArray) -> tuple[FloatArray, FloatArray]:
    """(phi in [0, 2 pi), theta in [0, pi]) rad of the centres of NEST pixels (...)."""
    pixels = np.asarray(pixels, dtype=np.int64)
    nside = 1 << order
    face, inside = pixels >> (2 * order), pixels & (nside * nside - 1)
    u = (_every_second_bit(inside) + 0.5) / nside
    v = (_every_second_bit(inside >> 1) + 0.5) / nside
    height = _FACE_HEIGHT[face] + u + v - 1.0
    q = np.minimum(2.0 - np.abs(height), 1.0)
    longitude = _FACE_LONGITUDE[face] + (u - v) / (2.0 * q)
    polar_theta = 2.0 * np.arcsin(q / np.sqrt(6.0))
    theta = np.where(np.abs(height) <= 1.0, np.arccos(np.clip(2.0 * height / 3.0, -1.0, 1.0)), polar_theta)
    theta = np.where(height < -1.0, np.pi - theta, theta)
    return np.mod(longitude, 4.0) * (np.pi / 2.0), theta


def ang2pix_nest(order: int, phi: FloatArray, theta: FloatArray) -> IntArray:
    """NEST pixel (...) that contains the direction phi, theta (...) rad."""
    longitude = np.mod(np.asarray(phi, dtype=np.float64) / (np.pi / 2.0), 4.0)
    theta = np.asarray(theta, dtype=np.float64)
    z = np.cos(theta)
    belt_face, belt_u, belt_v = _belt_position(longitude, z)
    cap_face, cap_u, cap_v = _cap_position(longitude, theta)
    belt = np.abs(z) <= 2.0 / 3.0
    nside = 1 << order
    ix = np.clip(np.floor(np.where(belt, belt_u, cap_u) * nside), 0, nside - 1).astype(np.int64)
    iy = np.clip(np.floor(np.where(belt, belt_v, cap_v) * nside), 0, nside - 1).astype(np.int64)
    face = np.where(belt, belt_face, cap_face).astype(np.int64)
    return (face << (2 * order)) + _spread_bits(ix) + (_spread_bits(iy) << 1)


def _belt_position(longitude: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Face and (u, v) in the equatorial belt: the two families of diagonal face edges are lines in (t, h)."""
    falling, rising = longitude + 0.5 - 0.75 * z, longitude + 0.5 + 0.75 * z
    a, b = np.floor(falling), np.floor(rising)
    face = np.where(a == b, np.mod(a, 4) + 4, np.where(a < b, np.mod(a, 4), np.mod(b, 4) + 8))
    return face, rising - b, 1.0 - (falling - a)


def _cap_position(longitude: FloatArray, theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Face and (u, v) in the polar caps, q = sqrt(6) sin(angle from the pole / 2)."""
    north = theta < np.pi / 2.0
    q = np.sqrt(6.0) * np.sin(np.where(north, theta, np.pi - theta) / 2.0)
    quarter = np.minimum(np.floor(longitude), 3.0)
    along = (longitude - quarter) * q
    back = q - along
    return quarter + np.where(north, 0, 8), np.where(north, 1.0 - back, along), np.where(north, 1.0 - along, back)


def _every_second_bit(value: IntArray) -> IntArray:
    """Bits 0, 2, 4, ... of `value` packed together."""
    value = value & _ALTERNATE
    for shift, mask in zip((1, 2, 4, 8, 16), _PACKED):
        value = (value | (value >> shift)) & mask
    return value


def _spread_bits(value: IntArray) -> IntArray:
    """The inverse of `_every_second_bit`: bit i moves to bit 2 i."""
    for shift, mask in zip((16, 8, 4, 2, 1), (*_PACKED[-2::-1], _ALTERNATE)):
        value = (value | (value << shift)) & mask
    return value
