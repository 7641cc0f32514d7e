"""verglas live from an empty folder into which movies are copied one by one, killed (kill -9) in the middle and continued; with
--class2d-every killed once more in the middle of the first classification.

    python bench/live.py MOVIES PIXEL_SIZE DOSE [--gain FILE] [--voltage 200] [--cs 1.4] [--diameters 100 180] [--box 256] [--rescale 64] [--pause 4]
        [--class2d-every 300] [--classes 10] [--iterations 40] [--threads 2]

MOVIES: folder of *.tiff, as tools/make_movies.py leaves them. Prints what is in the tables at the end: every movie once, every particle once.
"""

import argparse
import collections
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from verglas.io.micrographs_star import read_micrographs
from verglas.io.star import read_star


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("movies", type=Path)
    parser.add_argument("pixel", type=float)
    parser.add_argument("dose", type=float)
    parser.add_argument("--gain", type=Path)
    parser.add_argument("--voltage", type=float, default=200.0)
    parser.add_argument("--cs", type=float, default=1.4)
    parser.add_argument("--diameters", type=float, nargs=2, default=(100.0, 180.0))
    parser.add_argument("--box", type=int, default=256)
    parser.add_argument("--rescale", type=int, default=64)
    parser.add_argument("--pause", type=float, default=4.0, help="seconds between two movies")
    parser.add_argument("--class2d-every", type=int, default=0)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--iterations", type=int, default=40, help="mini-batches of each classification")
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    movies = sorted(chosen.movies.glob("*.tiff"))
    with tempfile.TemporaryDirectory() as name:
        project = Path(name)
        (project / "Movies").mkdir()
        copying = threading.Thread(target=copy, args=(movies, project / "Movies", chosen.pause))
        begun = time.monotonic()
        copying.start()
        gain = ["--gain", str(chosen.gain.resolve())] if chosen.gain else []
        (project / "options.toml").write_text(f"[class2d]\niterations = {chosen.iterations}\n" if chosen.class2d_every else "")
        verglas = [sys.executable, "-m", "verglas", "live"]
        command = [
            *verglas, "--movies", "Movies/*.tiff", "--pixel-size", str(chosen.pixel), "--dose", str(chosen.dose), "--voltage", str(chosen.voltage),
            "--cs", str(chosen.cs), *gain, "--min-diameter", str(chosen.diameters[0]), "--max-diameter", str(chosen.diameters[1]),
            "--box", str(chosen.box), "--rescale", str(chosen.rescale), "--settle", "1", "--idle", "0.5", "--threads", str(chosen.threads),
            "--options", "options.toml", "--class2d-every", str(chosen.class2d_every), "--classes", str(chosen.classes), "--output", "Live/job001"]
        killed(command, project, lambda: finished(project) >= len(movies) // 2)
        print(f"killed after {time.monotonic() - begun:.1f} s with {finished(project)} movies through motion correction", flush=True)
        command = [*verglas, "--continue", "Live/job001"]
        if chosen.class2d_every:
            killed(command, project, lambda: any(project.glob("Class2D/job*/run_it005_state.npz")))
            print(f"killed after {time.monotonic() - begun:.1f} s in the middle of a classification", flush=True)
        subprocess.run(command, cwd=project, check=True)
        copying.join()
        print(f"{time.monotonic() - begun:.1f} s in all")
        check(project, len(movies))


def killed(command: list[str], project: Path, when: Callable[[], bool]) -> None:
    """Run until `when`, then kill -9."""
    process = subprocess.Popen(command, cwd=project)
    while not when():
        time.sleep(0.02)
        if process.poll() is not None:
            raise SystemExit("it ended before it was killed")
    process.kill()
    process.wait()


def copy(movies: list[Path], to: Path, pause: float) -> None:
    for movie in movies:
        shutil.copyfile(movie, to / movie.name)
        time.sleep(pause)


def finished(project: Path) -> int:
    rows = next(project.glob("MotionCorr/job*/rows.jsonl"), None)
    return 0 if rows is None else sum(line.strip() != "" for line in rows.read_text().splitlines())


def check(project: Path, movies: int) -> None:
    for pattern in ("Import/job*/movies.star", "MotionCorr/job*/corrected_micrographs.star", "CtfFind/job*/micrographs_ctf.star"):
        found = list(project.glob(pattern))
        names = [one for table in found for one in read_micrographs(table).name]
        print(f"{pattern}: {len(found)} table, {len(names)} rows, {len(set(names))} different, {movies} expected")
    (table,) = project.glob("Extract/job*/particles.star")
    particles = read_star(table)["particles"]
    places = list(zip(particles["rlnMicrographName"], particles["rlnCoordinateX"].tolist(), particles["rlnCoordinateY"].tolist()))
    images = set(particles["rlnImageName"])
    each = collections.Counter(particles["rlnMicrographName"])
    print(f"{table.relative_to(project)}: {len(places)} particles, {len(set(places))} different places, {len(images)} different images, "
          f"from {len(each)} micrographs")
    for folder in sorted(project.glob("Class2D/job*")):
        last = max(folder.glob("run_it*_data.star"), default=None)
        rows = 0 if last is None else len(read_star(last)["particles"])
        times = (folder / "run.out").read_text().count("going on after iteration")
        print(f"{folder.relative_to(project)}: {rows} particles in {last and last.name}, {times} times continued, "
              f"{'ended' if list(folder.glob('*EXIT_SUCCESS')) else 'not ended'}")


if __name__ == "__main__":
    main()
