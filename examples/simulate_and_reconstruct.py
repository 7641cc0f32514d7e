"""Simulate particles of a made-up protein, reconstruct it from the known poses, and compare with the truth.

python examples/simulate_and_reconstruct.py FOLDER [NUMBER] [BOX]
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

import verglas as vg


def main(folder: str, number: str = "2000", box: str = "64") -> None:
    truth = vg.phantom(int(box), 220.0 / int(box), symmetry="D2", mass=200)
    particles = vg.simulate_particles(truth, int(number), folder, snr=0.1, seed=1)

    half = 1 + np.random.default_rng(1).permutation(len(particles)) % 2
    vg.write_particles(Path(folder) / "halves.star", replace(particles, half=half))

    result = vg.reconstruct(Path(folder) / "halves.star", symmetry="D2")
    vg.write_map(Path(folder) / "reconstruct.mrc", result.average)
    assert result.fsc is not None

    found = vg.compare_maps(result.average, truth)
    print("shell  resolution  halves  truth")
    for shell in range(1, len(result.fsc), 2):
        print(f"{shell:5d}  {found.resolution[shell]:8.2f} Å  {result.fsc[shell]:6.3f}  {found.fsc[shell]:5.3f}")
    print(f"FSC with the truth is 0.5 at {found.at_half:.2f} Å")


if __name__ == "__main__":
    main(*sys.argv[1:])
