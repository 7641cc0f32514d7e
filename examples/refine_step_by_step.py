"""Drive a refinement iteration by iteration, look at every map, and stop when it is good enough.

python examples/refine_step_by_step.py particles.star start.mrc D2 200 result.mrc [MOST_ITERATIONS]
"""

import sys

import verglas as vg


def main(particles: str, reference: str, symmetry: str, diameter: str, output: str, most: str = "0") -> None:
    refinement = vg.refine3d(
        particles, reference, symmetry=symmetry, mask_diameter=float(diameter), initial_lowpass=50.0,
        max_iterations=int(most), seed=1,
    )
    best = None
    for now in refinement.steps():
        pmax = now.state.alignment.pmax.mean()
        half = int((now.fsc[1:] > 0.5).sum())
        print(f"iteration {now.number}: {now.resolution:6.2f} Å, FSC above 0.5 in {half} shells, Pmax {pmax:.2f}")
        best = now
        if now.resolution <= 2.05 * now.map.pixel_size:
            print("the pixel size is the limit: no need to go on")
            break

    assert best is not None
    vg.write_map(output, best.map)
    vg.write_particles(output.replace(".mrc", ".star"), best.particles)


if __name__ == "__main__":
    main(*sys.argv[1:])
