"""A mixture of two states with unknown poses: beta-galactosidase whole (60 %) and without one of its four subunits (40 %).

    python bench/class3d_mixture.py [--number 6000] [--snr 0.05] [--classes 3] [--iterations 25] [--relion] [--tools ../shared/tools]

Maps of 64 px at 3.54 Å are made from 5A1A by tools/make_map.py, particles by tools/make_particles.py (RELION's projector), the noise of both states
being equally strong; scored by tools/score.py. Classes begin alike, from the whole molecule at 50 Å. With --relion also 1,000 of the particles
for 10 iterations by both programs, from the same files and the same map.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import gemmi
import numpy as np

from verglas.core.filters import lowpass
from verglas.io.mrc import read_map, write_map
from verglas.io.particles_star import read_particles, write_particles
from verglas.io.star import Table, read_star, write_star
from verglas.jobs.common import parse
from verglas.jobs.registry import find
from verglas.jobs.runner import Request, run_job
from verglas.methods.align.move import rotate_map
from verglas.runtime.resources import choose_resources
from verglas.types import Map

SHARED = Path(__file__).resolve().parents[2] / "shared"
MODEL, BOX, PIXEL, BFACTOR, MISSING = "models/5a1a.cif", 64, 3.54, 60.0, "D"
WHOLE = 0.6
LOWPASS, DIAMETER, OFFSETS = 50.0, 200.0, (5.0, 1.0)
FEW, FEW_ITERATIONS = 1000, 10


def tool(options: argparse.Namespace, folder: Path, name: str, *arguments: object) -> str:
    """One of the tools, in `folder`; what it printed."""
    command = [sys.executable, str(options.tools / name), *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{name} failed: {done.stderr[-1000:]}")
    return done.stdout


def make_states(options: argparse.Namespace, folder: Path) -> None:
    """whole.mrc and part.mrc in one frame: make_map.py centres what it is given, so the part is moved back."""
    structure = gemmi.read_structure(str(options.data / MODEL))
    structure.remove_hydrogens()
    structure.remove_waters()
    centre = np.array([atom.atom.pos.tolist() for atom in structure[0].all()]).mean(0)
    if MISSING not in [chain.name for chain in structure[0]]:
        raise SystemExit(f"{MODEL} has no chain {MISSING}")
    structure[0].remove_chain(MISSING)
    away = np.array([atom.atom.pos.tolist() for atom in structure[0].all()]).mean(0) - centre
    structure.make_mmcif_document().write_file(str(folder / "part.cif"))
    for name, model in (("whole", options.data / MODEL), ("part", folder / "part.cif")):
        tool(options, folder, "make_map.py", model, f"{name}.mrc", BOX, PIXEL, BFACTOR)
    write_map(folder / "part.mrc", rotate_map(read_map(folder / "part.mrc"), np.eye(3), -away))


def make_particles(options: argparse.Namespace, folder: Path) -> None:
    """particles.star, without poses, and truth.star with the classes 1 (whole) and 2 (part); the noise of the part is that of the whole.

    Micrographs hold both states, as real ones do: a state that had micrographs of its own would hide in their intensity scales.
    """
    first = round(WHOLE * options.number)
    noise = deviations(tool(options, folder, "make_particles.py", "whole.mrc", "a", first, options.snr, options.seed))[1]
    signal = deviations(tool(options, folder, "make_particles.py", "part.mrc", "trial", 100, options.snr, options.seed + 1))[0]
    tool(options, folder, "make_particles.py", "part.mrc", "b", options.number - first, (signal / noise) ** 2, options.seed + 1)
    order = np.random.default_rng(options.seed).permutation(options.number)
    for kind, name in (("_truth", "truth.star"), ("", "particles.star")):
        parts = [read_star(folder / f"{letter}{kind}.star") for letter in "ab"]
        columns = {label: np.concatenate([part["particles"][label] for part in parts])[order] for label in parts[0]["particles"].columns}
        state = np.repeat((1, 2), [len(part["particles"]) for part in parts])[order]
        columns |= {"rlnClassNumber": state} if kind else {}
        write_star(folder / name, parts[0] | {"particles": Table(columns)})


def deviations(said: str) -> list[float]:
    """Standard deviations of signal and noise that make_particles.py prints."""
    return [float(word) for word in re.findall(r"std ([0-9.e+-]+)", said)]


def ours(options: argparse.Namespace, folder: Path, particles: str, name: str, iterations: int) -> tuple[Path, float]:
    """data.star of our class3d, and seconds."""
    job, begun = find("class3d"), time.monotonic()
    chosen = {
        "particles": folder / particles, "reference": folder / "whole.mrc", "classes": options.classes, "iterations": iterations,
        "initial_lowpass": LOWPASS, "mask_diameter": DIAMETER, "offset_range": OFFSETS[0], "offset_step": OFFSETS[1]}
    request = Request(choose_resources(threads=options.threads, seed=options.seed), folder / name, folder, quiet=True)
    return run_job(job, parse(job.params, chosen), request) / f"run_it{iterations:03d}_data.star", time.monotonic() - begun


def relion(options: argparse.Namespace, folder: Path, particles: str) -> tuple[Path, float]:
    """data.star of relion_refine on the same files, and seconds."""
    import torch

    start = read_map(folder / "whole.mrc")
    write_map(folder / "start.mrc", Map(lowpass(torch.from_numpy(np.array(start.data)), PIXEL, LOWPASS).numpy(), PIXEL))
    (folder / "relion").mkdir()
    command = [
        "relion_refine", "--i", particles, "--ref", "start.mrc", "--ini_high", str(LOWPASS), "--o", "relion/run", "--iter", str(FEW_ITERATIONS),
        "--K", str(options.classes), "--tau2_fudge", "4", "--particle_diameter", str(DIAMETER), "--healpix_order", "2", "--oversampling", "1",
        "--offset_range", str(OFFSETS[0]), "--offset_step", str(2 * OFFSETS[1]), "--sym", "C1", "--norm", "--scale", "--ctf", "--flatten_solvent",
        "--zero_mask", "--firstiter_cc", "--pad", "2", "--dont_combine_weights_via_disc", "--random_seed", str(options.seed),
        "--j", str(choose_resources(threads=options.threads).threads)]
    begun = time.monotonic()
    with (folder / "relion.log").open("w") as log:
        if subprocess.run(command, cwd=folder, stdout=log, stderr=log).returncode:
            raise SystemExit(f"relion_refine failed: {(folder / 'relion.log').read_text()[-1000:]}")
    return folder / "relion" / f"run_it{FEW_ITERATIONS:03d}_data.star", time.monotonic() - begun


def report(options: argparse.Namespace, folder: Path, what: str, result: tuple[Path, float]) -> None:
    """One line: adjusted Rand index and purity as score.py says them, class sizes, seconds."""
    table, seconds = result
    said = dict(line.split(": ") for line in tool(options, folder, "score.py", "classes", table, "truth.star").splitlines())
    sizes = "/".join(map(str, np.bincount(read_particles(table).class_number, minlength=options.classes + 1)[1:]))
    print(f"{what:<44} ARI {said['ari']}, purity {said['purity']}, classes {sizes}, {seconds:.0f} s", flush=True)


def main(options: argparse.Namespace) -> None:
    wanted = (options.data / MODEL, options.tools / "make_map.py", options.tools / "make_particles.py", options.tools / "score.py")
    lacking = [str(path) for path in wanted if not path.exists()]
    if lacking or shutil.which("relion_project") is None:
        print(f"bench/class3d_mixture.py: skipped, there is no {lacking[0] if lacking else 'relion_project (Debian: apt-get install relion)'}")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_states(options, folder)
        density = [read_map(folder / f"{state}.mrc").data for state in ("whole", "part")]
        print(f"{options.number} particles of {BOX} px, SNR {options.snr}, chain {MISSING} is {1 - density[1].sum() / density[0].sum():.2f} "
              "of the density", flush=True)
        make_particles(options, folder)
        result = ours(options, folder, "particles.star", "ours", options.iterations)
        report(options, folder, f"verglas, {options.iterations} iterations", result)
        if options.relion:
            blind = read_particles(folder / "particles.star")
            write_particles(folder / "few.star", blind.take(np.arange(min(FEW, len(blind)))))
            for who, job in (("verglas", ours(options, folder, "few.star", "few", FEW_ITERATIONS)), ("RELION", relion(options, folder, "few.star"))):
                report(options, folder, f"{who}, {min(FEW, len(blind))} particles, {FEW_ITERATIONS} iterations", job)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=SHARED / "data")
    parser.add_argument("--tools", type=Path, default=SHARED / "tools")
    parser.add_argument("--number", type=int, default=6000)
    parser.add_argument("--snr", type=float, default=0.05)
    parser.add_argument("--classes", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    parser.add_argument("--relion", action="store_true")
    main(parser.parse_args())
