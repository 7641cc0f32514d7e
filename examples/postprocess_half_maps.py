"""FSC, resolution and a sharpened map of two half maps, with an automatic mask.

python examples/postprocess_half_maps.py run_half1_class001_unfil.mrc run_half2_class001_unfil.mrc sharpened.mrc
"""

import sys
from dataclasses import replace

import verglas as vg


def main(first: str, second: str, output: str) -> None:
    half1, half2 = vg.read_map(first), vg.read_map(second)
    average = replace(half1, data=(half1.data + half2.data) / 2)

    found = vg.make_mask(average, lowpass=15.0)
    print(f"mask: {100 * found.box_fraction:.1f} % of the box, protein of about {found.kilodalton:.0f} kDa")

    result = vg.postprocess(half1, half2, found.mask)
    print("shell  unmasked  masked  corrected")
    curves = result.curves
    assert curves.masked is not None
    for shell in range(1, len(curves.unmasked), 4):
        print(f"{shell:5d}  {curves.unmasked[shell]:8.3f}  {curves.masked[shell]:6.3f}  {curves.true[shell]:9.3f}")
    print(f"resolution {result.resolution:.2f} Å at FSC 0.143, B-factor {result.bfactor:.0f} Å²")
    for warning in result.warnings:
        print("warning:", warning)

    vg.write_map(output, result.sharpened)


if __name__ == "__main__":
    main(*sys.argv[1:])
