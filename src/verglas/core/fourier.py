"""The one convention of Fourier transforms: forward divided by the number of pixels, phases referred to the centre pixel B // 2."""

import torch
from torch import Tensor


def centre_signs(box: int, device: torch.device | str = "cpu") -> Tensor:
    """(-1)^(x+y) on the half plane (B, B//2+1): moves the phase origin from pixel 0 to pixel B/2 (even B)."""
    y = torch.arange(box, device=device)[:, None]
    x = torch.arange(box // 2 + 1, device=device)[None]
    return 1.0 - 2.0 * ((x + y) % 2).float()


def forward(images: Tensor) -> Tensor:
    """F(k) = 1/B^2 sum_x I(x) exp(-2 pi i k.(x - B/2)/B): (N, B, B) real -> (N, B, B//2+1) complex."""
    box = images.shape[-1]
    return torch.fft.rfft2(images, norm="forward") * centre_signs(box, images.device)


def inverse(spectra: Tensor, box: int) -> Tensor:
    """The inverse of `forward`: (N, B, B//2+1) complex -> (N, B, B) real."""
    return torch.fft.irfft2(spectra * centre_signs(box, spectra.device), s=(box, box), norm="forward")


def crop(spectra: Tensor, size: tuple[int, int]) -> Tensor:
    """Half planes (..., my, mx//2+1) of smaller pictures, from (..., ny, >= mx//2+1): the frequencies that they can hold, values unchanged.

    At the Nyquist frequency of even sides the positive one of the two aliases stays, as in RELION, so that white noise stays white.
    """
    (my, mx), ny = size, spectra.shape[-2]
    spectra = spectra[..., : mx // 2 + 1]
    if my == ny:
        return spectra
    top = my // 2 + 1
    return torch.cat((spectra[..., :top, :], spectra[..., ny - (my - top) :, :]), dim=-2)


def integer_shift(images: Tensor, shift: Tensor) -> Tensor:
    """Image n moved by shift[n] = (x, y) whole pixels (N, 2) int64; what enters from outside is 0. (N, B, B) -> (N, B, B)."""
    count, box, _ = images.shape
    at = torch.arange(box, device=images.device)
    from_x = at[None] - shift[:, 0, None]
    from_y = at[None] - shift[:, 1, None]
    ok_x, ok_y = (from_x >= 0) & (from_x < box), (from_y >= 0) & (from_y < box)
    flat = from_y.clamp(0, box - 1)[:, :, None] * box + from_x.clamp(0, box - 1)[:, None, :]
    moved = images.reshape(count, -1).gather(1, flat.reshape(count, -1)).view_as(images)
    return moved * (ok_y[:, :, None] & ok_x[:, None, :])
