"""CTF of micrographs from their Thon rings: defocus, astigmatism, phase shift, and how far they can be trusted."""

from verglas.methods.ctffit.estimate import CtfFit, estimate, phase_grid
from verglas.methods.ctffit.lens import Aim, Lens
from verglas.methods.ctffit.picture import picture
from verglas.methods.ctffit.search import Range
from verglas.methods.ctffit.spectrum import Spectrum, of_amplitudes, of_micrograph
from verglas.methods.ctffit.tilt import Tilt, tilt

__all__ = ["Aim", "CtfFit", "Lens", "Range", "Spectrum", "Tilt", "estimate", "of_amplitudes", "of_micrograph", "phase_grid", "picture", "tilt"]
