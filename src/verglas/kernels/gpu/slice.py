"""Central slices on the GPU; the definition is `kernels.reference.slice`, that of a volume of one plane `kernels.reference.plane`."""

# mypy: ignore-errors

import torch
import triton
import triton.language as tl
from torch import Tensor

from verglas.kernels.gpu.corners import corner, locate
from verglas.kernels.gpu.tiles import SLICE, Tile, blocks, flat


@triton.jit
def _cut(volume, axes, k, out, pixels, size, half, FLAT: tl.constexpr, BLOCK: tl.constexpr):
    """One program: BLOCK pixels of a slice. Real and imaginary parts lie side by side in memory and are read as one."""
    r = tl.program_id(0).to(tl.int64)
    p = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    used = p < pixels
    x, y, z, sign, inside = locate(axes, k, r, p, used, size, FLAT)
    part = tl.arange(0, 2)[None, :]
    total = tl.zeros((BLOCK, 2), tl.float32)
    for number in tl.static_range(4 if FLAT else 8):
        index, weight = corner(x, y, z, size, half, FLAT, number)
        total += weight[:, None] * tl.load(volume + 2 * index[:, None] + part, mask=inside[:, None], other=0.0)
    total = tl.where(part == 1, total * sign[:, None], total)
    tl.store(out + 2 * (r * pixels + p)[:, None] + part, total, mask=used[:, None])


def cut(volume: Tensor, axes: Tensor, k: Tensor, tile: Tile = SLICE) -> Tensor:
    """Slices (R, P) of volume (D, D, H) or (1, D, H)."""
    out = torch.empty(len(axes), len(k), dtype=torch.complex64, device=volume.device)
    if out.numel():
        _cut[(len(axes), blocks(len(k), tile.pixels))](
            flat(volume), axes.contiguous(), k.contiguous(), torch.view_as_real(out), len(k), volume.shape[1], volume.shape[2],
            FLAT=volume.shape[0] == 1, BLOCK=tile.pixels, num_warps=tile.warps,
        )
    return out
