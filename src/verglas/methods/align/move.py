"""Turned and moved maps, and the poses that go with them."""

from dataclasses import replace

import numpy as np
import torch

from verglas.core.rotations import euler_to_matrix, matrix_to_euler
from verglas.core.turn import spline_coefficients, turned
from verglas.types import Map, Poses


def rotate_map(source: Map, rotation: np.ndarray, shift: np.ndarray | None = None) -> Map:
    """V'(x) = V(R x + t) about voxel B // 2: rotation R (3, 3), shift t (3,) Å x y z; 0 where R x + t is outside the box."""
    move = np.zeros(3) if shift is None else np.asarray(shift, dtype=np.float64)
    if np.allclose(rotation, np.eye(3), atol=1e-9) and np.allclose(move, 0.0, atol=1e-9):
        return source
    data = torch.from_numpy(np.ascontiguousarray(source.data, dtype=np.float32))
    return replace(source, data=turned(spline_coefficients(data), np.asarray(rotation), move / source.pixel_size))


def turn_poses(poses: Poses, rotation: np.ndarray, shift: np.ndarray) -> Poses:
    """The poses of the same images for V'(x) = V(R x + t): A' = A R, and the origin less (A t)_xy.

    The point t of V, the new centre, is seen at (A t)_xy from where V's centre is seen, and that is at minus the origin.
    """
    a = euler_to_matrix(torch.from_numpy(poses.angles))
    angles = matrix_to_euler(a @ torch.as_tensor(rotation, dtype=torch.float64))
    seen = a[:, :2] @ torch.as_tensor(shift, dtype=torch.float64)
    return Poses(angles.numpy(), poses.origin - seen.numpy())
