"""Motion correction of simulated movies: verglas and RELION side by side, errors against truth, and times.

    PYTHONPATH=src python bench/motion.py MOVIES_DIR [--map map.mrc] [--tools ../shared/tools] [--number 12] [--size 1536] [--frames 24] [--seed 7]
        [--pixel-size 0.885] [--dose 1.277] [--threads 2] [--workers 1]

Movies are made by make_movies.py when MOVIES_DIR has none (needs --map, and that script's packages). Prints, for each program, the rms error of the
whole-frame track (mean and worst movie), the rms error at 5 x 5 patch centres, hot pixels missed, wall and CPU seconds per movie.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from verglas.core.local_motion import local_shift
from verglas.io.motion_star import read_motion
from verglas.io.mrc import read_volume

PIXEL, DOSE, KV = 0.885, 1.277, 200.0
PATCHES = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--map", type=Path)
    parser.add_argument("--tools", type=Path, default=Path("../shared/tools"))
    for name, value in (("number", 12), ("size", 1536), ("frames", 24), ("seed", 7), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--workers", default="1")
    parser.add_argument("--pixel-size", type=float, default=PIXEL)
    parser.add_argument("--dose", type=float, default=DOSE)
    args = parser.parse_args()
    folder = args.folder.resolve()
    if not (folder / "truth_motion.npz").exists():
        command = [sys.executable, args.tools / "make_movies.py", args.map, folder, args.number, args.size, args.frames, args.seed]
        subprocess.run([str(one) for one in command], check=True)
    movies = sorted(folder.glob("movie_*.tiff"))[: args.number]
    write_star(folder / "movies.star", movies, args.pixel_size)
    shutil.rmtree(folder / "verglas", ignore_errors=True)
    ours = [sys.executable, "-m", "verglas", "motioncorr", "--movies", "movies.star", "--gain", "gain.mrc", "--dose-per-frame", args.dose,
            "--output", "verglas", "--threads", args.threads, "--workers", args.workers]
    report("verglas", timed(ours, folder), folder / "verglas", movies, folder)
    if shutil.which("relion_run_motioncorr"):
        relion = ["relion_run_motioncorr", "--use_own", "--i", "movies.star", "--o", "relion/", "--j", args.threads, "--patch_x", PATCHES,
                  "--patch_y", PATCHES, "--dose_weighting", "--dose_per_frame", args.dose, "--gainref", "gain.mrc", "--grouping_for_ps", 3]
        shutil.rmtree(folder / "relion", ignore_errors=True)
        report("RELION", timed(relion, folder), folder / "relion", movies, folder)


def write_star(path: Path, movies: list[Path], pixel_size: float) -> None:
    head = ("rlnOpticsGroupName", "rlnOpticsGroup", "rlnMicrographOriginalPixelSize", "rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast")
    lines = ["data_optics", "", "loop_", *(f"_{name} #{i + 1}" for i, name in enumerate(head)), f"opticsGroup1 1 {pixel_size} {KV} 1.4 0.1", "",
             "data_movies", "", "loop_", "_rlnMicrographMovieName #1", "_rlnOpticsGroup #2", *(f"{movie.name} 1" for movie in movies), ""]
    path.write_text("\n".join(lines))


def timed(command: list[object], folder: Path) -> tuple[float, float]:
    """Wall and CPU seconds of a program and its children."""
    start, before = time.perf_counter(), os.times()
    subprocess.run([str(one) for one in command], check=True, cwd=folder, stdout=subprocess.DEVNULL,
                   env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1] / "src")})
    after = os.times()
    return time.perf_counter() - start, after.children_user + after.children_system - before.children_user - before.children_system


def report(name: str, seconds: tuple[float, float], results: Path, movies: list[Path], folder: Path) -> None:
    truth = np.load(folder / "truth_motion.npz")
    hot = hot_pixels(folder)
    errors, local, missed = [], [], 0
    for movie in movies:
        match = re.search(r"\d+", movie.stem)
        assert match is not None
        i = int(match[0])
        track = read_motion(results / f"{movie.stem}.star")
        errors.append(rms(track.shifts + truth[f"drift_{i}"]))
        local.append(rms(local_error(track.local, truth[f"local_{i}"], len(track.shifts), float(truth["growth_tau"])), centred=False))
        found = set() if track.hot is None else {tuple(one) for one in track.hot.tolist()}
        missed += len(hot - found)
    n = len(movies)
    print(f"{name}: track {np.sqrt(np.square(errors).mean()):.3f} px rms, worst movie {max(errors):.3f}; "
          f"local {np.sqrt(np.square(local).mean()):.3f} px rms, worst {max(local):.3f}; hot pixels missed {missed}; "
          f"{seconds[0] / n:.2f} s per movie, {seconds[1] / n:.2f} s of CPU")


def rms(values: np.ndarray, centred: bool = True) -> float:
    return float(np.sqrt(np.square(values - values.mean(0) if centred else values).mean()))


def local_error(coefficients: np.ndarray | None, a: np.ndarray, frames: int, tau: float) -> np.ndarray:
    """(P, F, 2) px: model less truth at the centres of the patches; the corrections are minus the motion that make_movies.py wrote."""
    centres = (np.arange(PATCHES) + 0.5) / PATCHES - 0.5
    u, v = (one.ravel() for one in np.meshgrid(centres, centres))
    z = np.arange(float(frames))
    true = -np.einsum("cb,bp,f->pfc", a, np.stack([u, v, u * u, v * v, u * v]), 1 - np.exp(-z / tau))
    return true if coefficients is None else local_shift(coefficients, u[:, None], v[:, None], z[None]) - true


def hot_pixels(folder: Path) -> set[tuple[int, int]]:
    """x, y of pixels with 40 counts in all frames of the first movie, as make_movies.py wrote them."""
    import tifffile

    stack = tifffile.imread(sorted(folder.glob("movie_*.tiff"))[0], key=slice(0, 6))[:, ::-1]
    assert read_volume(folder / "gain.mrc")[0].shape[1:] == stack.shape[1:]
    return {(int(x), int(y)) for y, x in np.argwhere((stack == 40).all(0))}


if __name__ == "__main__":
    main()
