"""CTF of micrographs from their Thon rings: defocus, astigmatism, phase shift, tilt and thickness, and how far they can be trusted."""

from verglas.methods.ctffit.estimate import CtfFit, estimate, estimate_thickness, phase_grid
from verglas.methods.ctffit.lens import Aim, Lens
from verglas.methods.ctffit.picture import picture
from verglas.methods.ctffit.search import Range
from verglas.methods.ctffit.spectrum import Spectrum, of_amplitudes, of_micrograph, tiles
from verglas.methods.ctffit.thickness import Thickness
from verglas.methods.ctffit.tilt import Tilt, estimate_tilted

__all__ = ["Aim", "CtfFit", "Lens", "Range", "Spectrum", "Thickness", "Tilt", "estimate", "estimate_thickness", "estimate_tilted", "of_amplitudes",
           "of_micrograph", "phase_grid", "picture", "tiles"]
