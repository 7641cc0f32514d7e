"""Micrographs to map on real data: apoferritin through import, ctf, pick log, extract, class2d, initialmodel (O) and refine3d (O).

    python bench/apoferritin.py MICROGRAPHS [--project FOLDER] [--seed 0] [--finer]

MICROGRAPHS: folder of the eight *.mrc. Prints what every job took and made, the resolution, and writes slices of the map as apoferritin.png.
`--finer` goes on at the pixel size of the micrographs. The map has to be a hollow ball 12 nm wide with helices as rods in its wall.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from verglas.io.mrc import read_map
from verglas.io.star import read_star


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("micrographs", type=Path)
    parser.add_argument("--project", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--finer", action="store_true")
    chosen = parser.parse_args()
    project = chosen.project or Path(tempfile.mkdtemp(prefix="apoferritin-"))
    project.mkdir(parents=True, exist_ok=True)
    print(f"project: {project}")

    def job(*words: str) -> None:
        begun = time.monotonic()
        done = subprocess.run([sys.executable, "-m", "verglas", *words], cwd=project, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(words)}\n{done.stdout}{done.stderr}")
        print(f"{' '.join(words[:2] if words[0] in ('import', 'pick') else words[:1])}: {time.monotonic() - begun:.0f} s", flush=True)

    job("import", "micrographs", "--micrographs", f"{chosen.micrographs.resolve()}/*.mrc", "--pixel-size", "1.5", "--voltage", "300", "--cs", "0.01",
        "--amplitude-contrast", "0.07", "--output", "Import/job001")
    job("ctf", "--micrographs", "Import/job001/micrographs.star", "--output", "CtfFind/job002")
    job("pick", "log", "--micrographs", "CtfFind/job002/micrographs_ctf.star", "--min-diameter", "110", "--max-diameter", "140",
        "--output", "AutoPick/job003")
    extract("Extract/job004", 72, job)
    particles = "Extract/job004/particles.star"
    print(f"  {len(read_star(project / particles)['particles'])} particles")
    job("class2d", "--particles", particles, "--classes", "15", "--mask-diameter", "140", "--iterations", "60", "--output", "Class2D/job005")
    job("initialmodel", "--particles", particles, "--mask-diameter", "130", "--symmetry", "O", "--seed", str(chosen.seed), "--mini-batches", "100",
        "--output", "InitialModel/job006")
    refine("Refine3D/job007", particles, "InitialModel/job006/initial_model.mrc", "12", job)
    tell(project, "Refine3D/job007")
    if chosen.finer:
        extract("Extract/job008", 120, job)
        refine("Refine3D/job009", "Extract/job008/particles.star", "Refine3D/job007/run_class001.mrc", "10", job)
        tell(project, "Refine3D/job009")


def extract(folder: str, side: int, job) -> None:
    """Windows of 216 Å on `side` pixels."""
    job("extract", "--micrographs", "CtfFind/job002/micrographs_ctf.star", "--coordinates", "AutoPick/job003/autopick.star", "--box", "144",
        "--rescale", str(side), "--output", folder)


def refine(folder: str, particles: str, reference: str, lowpass: str, job) -> None:
    """The mask is as wide as the particle, since its neighbours are close; the low-pass keeps the first features of its wall."""
    job("refine3d", "--particles", particles, "--reference", reference, "--symmetry", "O", "--mask-diameter", "130", "--initial-lowpass", lowpass,
        "--output", folder)


def tell(project: Path, folder: str) -> None:
    """Resolution, outer radius where the spherical average falls to half of its peak, hollow centre, and the picture."""
    model = read_star(project / folder / "run_model.star")["model_general"]
    volume = read_map(project / folder / "run_class001.mrc")
    profile = radial(volume.data)
    peak = int(profile.argmax())
    outer = peak + int(np.argmax(profile[peak:] < profile[peak] / 2))
    print(f"{folder}: FSC 0.143 at {float(model.columns['rlnCurrentResolution'][0]):.2f} Å; wall at {peak * volume.pixel_size:.0f} Å, "
          f"half height at {outer * volume.pixel_size:.0f} Å, centre {profile[:3].mean() / profile[peak]:.2f} of the wall")
    side, middle = volume.box, volume.box // 2
    step = max(1, round(9 / volume.pixel_size))
    slices = [volume.data[middle + k * step] for k in range(7)] + [volume.data[middle:].max(0)]
    crop = slice(side // 6, side - side // 6)
    row = np.hstack([stretched(one[crop, crop]) for one in slices])
    Image.fromarray(row).resize((row.shape[1] * 2, row.shape[0] * 2)).save(project / folder / "apoferritin.png")
    print(f"  {project / folder / 'apoferritin.png'}")


def radial(data: np.ndarray) -> np.ndarray:
    """Spherical average by whole radii in pixels."""
    axis = np.arange(len(data)) - len(data) // 2
    r = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2).round().astype(int)
    return np.bincount(r.ravel(), data.ravel())[: len(data) // 2] / np.bincount(r.ravel())[: len(data) // 2]


def stretched(image: np.ndarray) -> np.ndarray:
    low, high = np.percentile(image, (2, 99.8))
    return (np.clip((image - low) / max(high - low, 1e-9), 0, 1) * 255).astype(np.uint8)


if __name__ == "__main__":
    main()
