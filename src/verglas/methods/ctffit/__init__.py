"""CTF of micrographs from their Thon rings: defocus, astigmatism, phase shift, and how far they can be trusted."""

from verglas.methods.ctffit.estimate import CtfFit, estimate, phase_grid
from verglas.methods.ctffit.lens import Aim, Lens
from verglas.methods.ctffit.picture import picture
from verglas.methods.ctffit.search import Range
from verglas.methods.ctffit.spectrum import Spectrum, of_amplitudes, of_micrograph

__all__ = ["Aim", "CtfFit", "Lens", "Range", "Spectrum", "estimate", "of_amplitudes", "of_micrograph", "phase_grid", "picture"]
