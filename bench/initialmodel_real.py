"""First models of real particles (EMPIAR-10204), and the whole way from all picked particles to a map without a human choice.

    python bench/initialmodel_real.py [--data ../shared/data] [--tools ../shared/tools] [--seeds 5] [--only seeds | chain]

seeds: initialmodel on the 1,400 good particles, D2, 100 mini-batches, every seed scored against betaGal.mrc by tools/score.py map --align.
chain: the 2,374 picked particles through class2d, rank-classes, initialmodel and refine3d; resolution by the half maps, and against betaGal.mrc.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SHARED = Path(__file__).resolve().parents[2] / "shared"
ALL, GOOD, TRUTH = "bgal-project/derived/particles_ctf_fixed.star", "bgal-project/derived/particles_with_poses.star", "maps/betaGal.mrc"
DIAMETER, BOX = "200", "64"


def verglas(folder: Path, name: str, *arguments: object) -> float:
    """Run a job by the command line into folder/name; seconds, the start of the program included."""
    command = [sys.executable, "-m", "verglas", *name.split(), *map(str, arguments), "--output", str(folder / name.replace(" ", "-"))]
    begun = time.monotonic()
    with (folder / f"{name}.log").open("w") as log:
        if subprocess.run(command, stdout=log, stderr=log).returncode:
            raise SystemExit(f"{name} failed:\n{(folder / f'{name}.log').read_text()[-1500:]}")
    return time.monotonic() - begun


def score(options: argparse.Namespace, map_file: Path, truth: Path) -> str:
    """What score.py says of a map after alignment."""
    command = [sys.executable, str(options.tools / "score.py"), "map", str(map_file), str(truth), "--align", "--mask-diameter", DIAMETER]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"score.py failed: {done.stderr[-800:]}")
    return ", ".join(done.stdout.splitlines())


def seeds(options: argparse.Namespace, folder: Path, truth: Path) -> None:
    """One line for each seed."""
    for seed in range(1, options.seeds + 1):
        place = folder / f"seed{seed}"
        place.mkdir()
        seconds = verglas(
            place, "initialmodel", "--particles", options.data / GOOD, "--symmetry", "D2", "--mini-batches", 100, "--mask-diameter", DIAMETER,
            "--seed", seed)
        print(f"initialmodel, seed {seed}: {seconds:.1f} s; {score(options, place / 'initialmodel' / 'initial_model.mrc', truth)}", flush=True)


def chain(options: argparse.Namespace, folder: Path, truth: Path) -> None:
    """All picked particles to a map."""
    common = ("--mask-diameter", DIAMETER)
    steps = (
        ("class2d", "--particles", options.data / ALL, "--classes", 30, "--iterations", 100, *common),
        ("rank-classes", "--model", folder / "class2d" / "run_it100_model.star"),
        ("initialmodel", "--particles", folder / "rank-classes" / "particles.star", "--symmetry", "D2", "--mini-batches", 100, *common),
        ("refine3d", "--particles", folder / "rank-classes" / "particles.star", "--reference", folder / "initialmodel" / "initial_model.mrc",
         "--symmetry", "D2", "--initial-lowpass", 40, *common),
    )
    for name, *arguments in steps:
        print(f"{name}: {verglas(folder, name, *arguments):.1f} s", flush=True)
    last = next(line for line in reversed((folder / "refine3d.log").read_text().splitlines()) if "resolution" in line.lower())
    print(f"refine3d says: {last}")
    print(f"final map: {score(options, folder / 'refine3d' / 'run_class001.mrc', truth)}")


def main(options: argparse.Namespace) -> None:
    lacking = [str(path) for path in (options.data / ALL, options.data / GOOD, options.data / TRUTH, options.tools / "score.py") if not path.exists()]
    if lacking:
        print(f"bench/initialmodel_real.py: skipped, there is no {lacking[0]}")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        verglas(folder, "map crop", "--map", options.data / TRUTH, "--box", BOX)
        truth = folder / "map-crop" / "map.mrc"
        if options.only != "chain":
            seeds(options, folder, truth)
        if options.only != "seeds":
            chain(options, folder, truth)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=SHARED / "data")
    parser.add_argument("--tools", type=Path, default=SHARED / "tools")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", choices=("seeds", "chain"))
    main(parser.parse_args())
