"""Larger pixels by cropping the spectrum."""

import torch
from torch import Tensor

from verglas.core.fourier import crop


def shrink(images: Tensor, box: int) -> Tensor:
    """Images (N, B, B) on box <= B pixels (both even) of the same field of view, pixel a B / box; values stay (a constant is the constant).

    x'(j) = sum_k X(k) exp(2 pi i k.j / box), over 0 <= kx <= box/2 and -box/2 < ky <= box/2, with X = FFT(x) / B^2. Pixel B/2 becomes
    pixel box/2. Only the columns that are kept are transformed along y.
    """
    old = images.shape[-1]
    if box == old:
        return images
    columns = torch.fft.rfft(images, dim=-1)[..., : box // 2 + 1]
    return torch.fft.irfft2(crop(torch.fft.fft(columns, dim=-2), (box, box)), s=(box, box)) * (box / old) ** 2


def rewindow(images: Tensor, box: int) -> Tensor:
    """The middle box x box pixels of images (N, B, B), box <= B, both even: pixel B/2 becomes pixel box/2."""
    first = images.shape[-1] // 2 - box // 2
    return images[..., first : first + box, first : first + box]
