"""What the user chose for a refinement, in the units of the method (Å, radians)."""

from dataclasses import dataclass

from verglas.core.ctf import CtfOptions

MASK_EDGE_PX = 5.0
"""Width of the raised-cosine edge of the circular image mask and the spherical map mask, px."""


@dataclass(frozen=True)
class Plan:
    """A gold-standard refinement (RELION's auto-refine). Lengths in Å.

    `absolute_greyscale`: the starting map has the scale of the images, so the first iteration need not use correlations.
    `offset_range`, `offset_step`: half-width and fine spacing of the first translational search.
    `join`: half maps share what lies below this resolution. `max_iterations` 0: until converged.
    `relaxed`: a point group whose mates of the last orientation are also searched around, in local searches of a C1 map; "": none.
    """

    symmetry: str = "C1"
    diameter: float = 200.0
    initial_lowpass: float = 50.0
    absolute_greyscale: bool = False
    healpix_order: int = 2
    local_from_order: int = 4
    offset_range: float = 15.0
    offset_step: float = 3.0
    solvent_corrected: bool = False
    join: float = 40.0
    max_iterations: int = 0
    padding: float = 2.0
    adaptive_fraction: float = 0.999
    correct_norm: bool = True
    correct_scale: bool = True
    intact_first_peak: bool = False
    ignore_ctf: bool = False
    relaxed: str = ""
    seed: int = 1

    @property
    def ctf(self) -> CtfOptions:
        return CtfOptions(self.ignore_ctf, self.intact_first_peak)
