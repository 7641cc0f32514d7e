"""verglas motioncorr on other movies and other computers: EER, turned gains, defects, two workers, a kill in the middle."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from verglas.io.micrographs_star import read_micrographs
from verglas.io.motion_star import read_motion
from verglas.io.mrc import MrcStack, StackWriter
from verglas.jobs import motioncorr
from verglas.jobs.context import Context
from verglas.jobs.each import ROWS, read_rows
from verglas.testing.eer_movies import encode_frame, write_eer
from verglas.testing.movie_tables import movies_star

SIZE, FRAMES, HARDWARE = 256, 8, 4
MOTION = np.stack([4 * (1 - np.exp(-np.arange(FRAMES) / 2)), -3 * (1 - np.exp(-np.arange(FRAMES) / 3))], 1)


def brightness(seed: int) -> np.ndarray:
    """(F, SIZE, SIZE), mean 1: a specimen that moves."""
    rng = np.random.default_rng(seed)
    k = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)[None])
    spectrum = np.fft.rfft2(rng.normal(size=(SIZE, SIZE))) * np.exp(-((k / 0.08) ** 2)) * (k > 0)
    spectrum *= 0.15 / np.fft.irfft2(spectrum).std()
    phases = [np.exp(-2j * np.pi * (np.fft.fftfreq(SIZE)[:, None] * y + np.fft.rfftfreq(SIZE)[None] * x)) for x, y in MOTION]
    return np.stack([1 + np.fft.irfft2(spectrum * phase) for phase in phases]).clip(0)


def write_tiff(path: Path, frames: np.ndarray) -> None:
    tifffile.imwrite(path, frames[:, ::-1].astype(np.uint8), compression=None, photometric="minisblack")


def write_mrc(path: Path, picture: np.ndarray) -> None:
    with StackWriter(path, 2.0) as stack:
        stack.append(picture[None].astype(np.float32))


def run(project: Path, movies: list[str], **options: object) -> None:
    (project / "movies.star").write_text(movies_star(movies))
    (project / "out").mkdir(exist_ok=True)
    context = Context(project / "out", project)
    params = motioncorr.MotionParams(movies=project / "movies.star", dose_per_frame=2.0, **options)  # type: ignore[arg-type]
    motioncorr.check(params, context)
    motioncorr.run(params, context)


def error(project: Path, name: str) -> float:
    """px rms of the track."""
    found = read_motion(project / f"out/{name}.star").shifts + MOTION
    return float(np.sqrt(((found - found.mean(0)) ** 2).mean()))


def plain(project: Path, name: str) -> np.ndarray:
    return np.asarray(MrcStack(project / f"out/{name}_noDW.mrc").read(np.arange(1))[0])


def test_eer_movies_in_fractions_with_a_gain_of_counts(tmp_path: Path) -> None:
    """Electrons at detector pixels of unequal sensitivity; the gain reference of EER holds counts."""
    rng = np.random.default_rng(0)
    sensitivity = rng.uniform(0.6, 1.4, (SIZE, SIZE)) * (1 + 0.3 * np.sin(np.arange(SIZE) / 10))
    data = []
    for picture in brightness(1):
        for _ in range(HARDWARE):
            where = np.flatnonzero(rng.random(SIZE * SIZE) < (0.3 * picture * sensitivity / sensitivity.mean()).reshape(-1))
            data.append(encode_frame(np.stack([where, *rng.integers(0, 4, (2, len(where)))], 1), SIZE * SIZE))
    write_eer(tmp_path / "m.eer", data, (SIZE, SIZE))
    write_mrc(tmp_path / "counts.mrc", 1e4 * sensitivity)
    run(tmp_path, ["m.eer"], eer_grouping=HARDWARE, gain=tmp_path / "counts.mrc", save_unweighted=True)
    assert error(tmp_path, "m") < 0.15
    track = read_motion(tmp_path / "out/m.star")
    assert track.frames == FRAMES and (track.eer_grouping, track.eer_upsampling) == (HARDWARE, 1)
    total = plain(tmp_path, "m")
    assert total.mean() == pytest.approx(FRAMES * HARDWARE * 0.3, rel=0.02)
    assert abs(np.corrcoef(total.ravel(), sensitivity.ravel())[0, 1]) < 0.05


@pytest.mark.parametrize(("rotation", "flip"), [(1, 0), (3, 1), (2, 2)])
def test_a_turned_gain_and_defects(tmp_path: Path, rotation: int, flip: int) -> None:
    rng = np.random.default_rng(rotation)
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    gain = 1 + 0.4 * np.sin(7 * x + 1) * np.cos(11 * y) + 0.2 * x
    frames = rng.poisson(3 * brightness(rotation) / gain)
    frames[:, 30:38, 200:203] = 90
    write_tiff(tmp_path / "m.tiff", frames)
    stored = gain[::-1] if flip == 1 else gain[:, ::-1] if flip == 2 else gain
    write_mrc(tmp_path / "gain.mrc", np.rot90(stored, rotation))
    (tmp_path / "defects.txt").write_text("200 30 3 8\n")
    run(tmp_path, ["m.tiff"], gain=tmp_path / "gain.mrc", gain_rotation=rotation, gain_flip=flip, defects=tmp_path / "defects.txt",
        save_unweighted=True)
    assert error(tmp_path, "m") < 0.1
    total = plain(tmp_path, "m")
    assert abs(np.corrcoef(total.ravel(), gain.ravel())[0, 1]) < 0.15
    assert total[25:45, 195:210].mean() == pytest.approx(3 * FRAMES, rel=0.2)
    assert read_motion(tmp_path / "out/m.star").defects == str(tmp_path / "defects.txt")


def command(project: Path, output: str, *more: str, threads: int = 2) -> "subprocess.Popen[str]":
    arguments = ["--movies", "movies.star", "--dose-per-frame", "2", "--output", output, "--threads", str(threads), *more]
    return subprocess.Popen([sys.executable, "-m", "verglas", "motioncorr", *arguments], cwd=project, text=True, start_new_session=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@pytest.mark.slow
@pytest.mark.parametrize("more", [("--workers", "2"), ()], ids=["workers", "threads"])
def test_two_at_once_killed_and_gone_on_with_make_what_one_process_makes(tmp_path: Path, more: tuple[str, ...]) -> None:
    rng = np.random.default_rng(3)
    names = [f"m{i}.tiff" for i in range(6)]
    for i, name in enumerate(names):
        write_tiff(tmp_path / name, rng.poisson(3 * brightness(i)))
    (tmp_path / "movies.star").write_text(movies_star(names))
    one = command(tmp_path, "one", threads=1)
    shown, _ = one.communicate(timeout=300)
    assert one.returncode == 0, shown
    two = command(tmp_path, "two", *more)
    until = time.monotonic() + 300
    while not ((tmp_path / "two" / ROWS).exists() and (tmp_path / "two" / ROWS).read_text().count("\n") >= 2):
        assert two.poll() is None and time.monotonic() < until
        time.sleep(0.01)
    os.killpg(two.pid, signal.SIGKILL)
    two.wait()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "two").glob("m?.mrc")}
    done = [key for key, row in read_rows(tmp_path / "two" / ROWS).items() if row.row is not None]
    again = subprocess.run([sys.executable, "-m", "verglas", "motioncorr", "--continue", "two"], cwd=tmp_path, text=True, capture_output=True)
    assert again.returncode == 0, again.stdout + again.stderr
    assert 1 <= len(done) < len(names)
    assert all((tmp_path / "two" / f"{Path(key).stem}.mrc").stat().st_mtime_ns == before[tmp_path / "two" / f"{Path(key).stem}.mrc"] for key in done)
    assert read_micrographs(tmp_path / "two/corrected_micrographs.star").name.tolist() == [f"two/m{i}.mrc" for i in range(6)]
    for i in range(6):
        one_track, two_track = (read_motion(tmp_path / f"{name}/m{i}.star").shifts for name in ("one", "two"))
        np.testing.assert_allclose(two_track, one_track, atol=1e-4)  # sums may be rounded in another order
        pictures = [np.asarray(MrcStack(tmp_path / f"{name}/m{i}.mrc").read(np.arange(1))[0], np.float64) for name in ("one", "two")]
        np.testing.assert_allclose(pictures[1], pictures[0], atol=0.01 * pictures[0].std())
