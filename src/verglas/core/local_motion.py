"""The cubic model of local motion: RELION's 18 coefficients per axis."""

import numpy as np

SPACE, TIME = 6, 3


def basis(u: np.ndarray, v: np.ndarray, z: np.ndarray) -> np.ndarray:
    """(..., 18): phi_a(u, v) z^b at 3 a + b - 1, with phi = 1, u, u², v, v², uv and b = 1, 2, 3.

    u = x / nx - 1/2, v = y / ny - 1/2 for a position in px; z: frame from 0. u, v and z broadcast. Zero in the first frame.
    """
    u, v, z = np.broadcast_arrays(np.asarray(u, float), np.asarray(v, float), np.asarray(z, float))
    space = np.stack([np.ones_like(u), u, u * u, v, v * v, u * v], axis=-1)
    time = np.stack([z, z * z, z * z * z], axis=-1)
    return (space[..., :, None] * time[..., None, :]).reshape(*u.shape, SPACE * TIME)


def local_shift(coefficients: np.ndarray, u: np.ndarray, v: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Correction (..., 2) px of the local model (2, 18) at u, v and frame z."""
    return basis(u, v, z) @ np.asarray(coefficients).T


def spatial(coefficients: np.ndarray, frames: int) -> np.ndarray:
    """(frames, 2, 6): the coefficients of 1, u, u², v, v², uv in every frame, sum_b c_{3a+b-1} z^b."""
    z = np.arange(frames, dtype=float)[:, None]
    powers = np.concatenate([z, z**2, z**3], axis=1)
    return np.einsum("cab,fb->fca", np.asarray(coefficients).reshape(2, SPACE, TIME), powers)
