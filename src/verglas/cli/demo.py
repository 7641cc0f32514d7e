"""`verglas demo`: the main job end to end on data with a known truth."""

import os
import time
from pathlib import Path

import numpy as np

from verglas.jobs.common import CommonParams, choose, parse
from verglas.jobs.registry import find
from verglas.jobs.runner import Request, run_job
from verglas.runtime.resources import Resources

SYMMETRY, PIXEL = "D2", 4.4
SIMULATE = {
    "phantom": True, "symmetry": SYMMETRY, "mass": 200, "number": 700, "box": 48, "pixel_size": PIXEL, "snr": 0.05,
}
REFINE = {"symmetry": SYMMETRY, "mask_diameter": 180, "initial_lowpass": 50}


def run_demo(output: Path, threads: int) -> int:
    """Simulate, refine, mask, postprocess in the project folder `output`; then where to look, and how near the truth."""
    begun = time.monotonic()
    output.mkdir(parents=True, exist_ok=True)
    os.chdir(output)
    resources = choose(parse(CommonParams, {"threads": threads, "seed": 1}))
    _title("1/4  a made-up protein (D2, 200 kDa) and 700 noisy images of it")
    data = _job("simulate particles", SIMULATE, resources)
    _title("2/4  gold-standard refinement, from the true map blurred to 50 Å and unknown poses")
    inputs = {"particles": data / "particles.star", "reference": data / "map.mrc"}
    refined = _job("refine3d", REFINE | inputs, resources)
    _title("3/4  a soft mask")
    mask = _job("mask", {"map": refined / "run_class001.mrc"}, resources)
    _title("4/4  FSC and sharpening")
    halves = {f"half{h}": refined / f"run_half{h}_class001_unfil.mrc" for h in (1, 2)}
    sharpened = _job("postprocess", halves | {"mask": mask / "mask.mrc", "fit_from": 15}, resources)
    _title(f"Done in {time.monotonic() - begun:.0f} s")
    print("\n".join(truth_lines(data, refined, mask)))
    shown = ((refined / "report.html", "open it in a browser"), (refined / "run_class001.mrc", "the refined map"),
             (sharpened / "postprocess.mrc", "the sharpened map"), (sharpened / "postprocess.star", "FSC curves"),
             (data / "map.mrc", "the truth"))
    print("\n".join(f"  {output / path!s:<46} {what}" for path, what in shown))
    return 0


def _title(text: str) -> None:
    print(f"\n== {text}", flush=True)


def _job(name: str, options: dict[str, object], resources: Resources) -> Path:
    job = find(name)
    return run_job(job, parse(job.params, options), Request(resources, command=f"verglas demo: {name}"))


def truth_lines(data: Path, refined: Path, mask: Path) -> list[str]:
    """Refined map and poses against what was simulated."""
    from verglas.io.mrc import read_map
    from verglas.io.particles_star import read_particles
    from verglas.methods.mapops import compare_maps

    found = compare_maps(read_map(refined / "run_class001.mrc"), read_map(data / "map.mrc"), read_map(mask / "mask.mrc"))
    errors = pose_errors(read_particles(data / "truth.star").poses.angles,
                         read_particles(refined / "run_data.star").poses.angles, SYMMETRY)
    return [
        f"  against the truth: FSC 0.5 at {found.at_half:.2f} Å (finest possible {2 * PIXEL:.2f} Å); "
        f"poses wrong by {np.degrees(np.median(errors)):.2f} degrees (median), "
        f"{100 * np.mean(errors < np.radians(10)):.0f} % within 10 degrees",
    ]


def pose_errors(truth: np.ndarray, found: np.ndarray, symmetry: str) -> np.ndarray:
    """(N,) radians between Euler angles (N, 3) radians, the nearest of the symmetry mates: min_s angle(A, A' R_s)."""
    import torch

    from verglas.core.rotations import angular_distance, euler_to_matrix
    from verglas.core.symmetry import operators

    a, b = (euler_to_matrix(torch.from_numpy(angles)) for angles in (truth, found))
    mates = torch.stack([angular_distance(a, b @ one) for one in operators(symmetry).to(b.dtype)])
    return mates.min(0).values.numpy()
