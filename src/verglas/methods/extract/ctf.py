"""Images multiplied by their CTF, or by its sign, before they are cut to their box."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from verglas.core.ctf import evaluate
from verglas.types import Defocus, OpticsGroup


@dataclass(frozen=True)
class CtfFilter:
    """Windows of `box` px in a micrograph of `pixel_size` Å, each with its row of `defocus`; flip: only the sign of the CTF."""

    box: int
    pixel_size: float
    group: OpticsGroup
    defocus: Defocus
    flip: bool = False

    def apply(self, windows: Tensor, rows: slice) -> Tensor:
        """F^-1(F(x) C) for windows (n, box, box) of the particles `rows`; C as `core.ctf.evaluate`, for flip sign(C)."""
        s = torch.fft.fftfreq(self.box, self.pixel_size, dtype=torch.float64)
        sx, sy = torch.broadcast_tensors(s[: self.box // 2 + 1].abs(), s[:, None])
        plain = replace(self.group, ctf_premultiplied=False, phase_flipped=False, ctf_corrected=False)
        defocus = Defocus(**{name: getattr(self.defocus, name)[rows] for name in Defocus.__dataclass_fields__})
        ctf = evaluate(sx.reshape(-1), sy.reshape(-1), plain, defocus).view(-1, *sx.shape)
        spectra = torch.fft.rfft2(windows) * (ctf.sign() if self.flip else ctf)
        return torch.fft.irfft2(spectra, s=(self.box, self.box))
