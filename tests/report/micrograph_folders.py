"""Folders as the jobs from motion correction to extraction leave them, with known numbers."""

import json
from pathlib import Path

import numpy as np

from verglas.io.coordinates import write_coordinates
from verglas.io.ctf_files import write_avrot, write_picture
from verglas.io.motion_star import write_motion
from verglas.io.mrc import StackWriter
from verglas.types import Coordinates
from verglas.types.motion import MotionTrack, PatchTracks

PIXEL, FRAMES = 1.5, 20


def project_job(folder: Path, job: str, marker: str = "RELION_JOB_EXIT_SUCCESS", **params: object) -> Path:
    """job.json, events.jsonl and a marker ("" for a job that runs)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "job.json").write_text(json.dumps({"job": job, "version": "0.1.0", "command": f"verglas {job}", "params": params}))
    (folder / "events.jsonl").write_text(json.dumps({"time": 1.0, "event": "start", "job": job}) + "\n")
    if marker:
        (folder / marker).touch()
    return folder


def write_rows(folder: Path, rows: dict[str, dict | str]) -> None:
    """Rows, and reasons of failures where the value is text."""
    lines = ({"key": key, "row": row} if isinstance(row, dict) else {"key": key, "failed": row} for key, row in rows.items())
    (folder / "rows.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))


def add_event(folder: Path, **event: object) -> None:
    with (folder / "events.jsonl").open("a") as file:
        file.write(json.dumps(event) + "\n")


def image(path: Path, shape: tuple[int, int], rng: np.random.Generator, pixel: float = PIXEL) -> None:
    """Noise with a slope, so that what is up is seen."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with StackWriter(path, pixel, "float16") as stack:
        stack.append((rng.normal(0, 1, shape) + np.linspace(-2, 2, shape[0])[:, None])[None].astype(np.float32))


def shifts(scale: float) -> np.ndarray:
    """(FRAMES, 2) px: a path that slows down, of `scale` px in all."""
    way = 1.0 - np.exp(-np.arange(FRAMES) / 5.0)
    return -np.stack([way, 0.5 * way], axis=1) / np.hypot(1.0, 0.5) / way[-1] * scale


def motion_folder(project: Path, count: int, seen: int = 6, failed: int = 1) -> Path:
    """`seen` of the movies have pictures; movie i moves 5 + i % 40 Å."""
    folder, rng = project_job(project / "MotionCorr/job002", "motioncorr", dose_per_frame=1.0, patches_x=5, patches_y=5), np.random.default_rng(1)
    rows: dict[str, dict | str] = {}
    for i in range(count):
        root, total = f"MotionCorr/job002/movies/m{i:05d}", 5.0 + i % 40
        track = shifts(total / PIXEL)
        if i < seen:
            image(project / f"{root}.mrc", (700, 900), rng)
            write_motion(project / f"{root}.star", motion_track(f"movies/m{i:05d}.tiff", track))
        star = {"rlnMicrographName": f"{root}.mrc", "rlnMicrographMetadata": f"{root}.star", "rlnAccumMotionTotal": total,
                "rlnAccumMotionEarly": 0.4 * total, "rlnAccumMotionLate": 0.6 * total}
        report = {"shifts": np.round(track, 3).tolist(), "hot": 12, "bad": 3, "iterations": 5, "error": 0.02, "local_rms": 0.8,
                  "warnings": ["moved by 120 Å"] if i == 3 else []}
        rows[f"movies/m{i:05d}.tiff"] = {"star": star, "report": report}
    rows |= {f"movies/bad{i:05d}.tiff": f"movies/bad{i:05d}.tiff: the file is cut short" for i in range(failed)}
    write_rows(folder, rows)
    return folder


def motion_track(movie: str, track: np.ndarray) -> MotionTrack:
    """Patches on a 4 x 3 grid that move outwards by up to 2 px."""
    x, y = (one.ravel() for one in np.meshgrid((np.arange(4) + 0.5) * 225.0, (np.arange(3) + 0.5) * 700 / 3))
    frame = np.repeat(np.arange(FRAMES), x.size)
    xy = np.tile(np.stack([x, y], axis=1), (FRAMES, 1))
    out = (xy - [450.0, 350.0]) / 450.0 * 2.0
    patches = PatchTracks(frame, xy, -out * (frame / (FRAMES - 1))[:, None])
    return MotionTrack(movie, (700, 900), FRAMES, track, PIXEL, 300.0, 1.0, patches=patches)


def ctf_folder(project: Path, count: int, seen: int = 6, ice: float = 0.0) -> Path:
    """Defocus 1 µm + i nm, resolution 4 to 8 Å; the picture is 64 px of 1.5 Å."""
    folder, rng = project_job(project / "CtfFind/job003", "ctf"), np.random.default_rng(2)
    rows: dict[str, dict | str] = {}
    for i in range(count):
        root, resolution = f"CtfFind/job003/mics/m{i:05d}", 4.0 + i % 5
        if i < seen:
            (project / root).parent.mkdir(parents=True, exist_ok=True)
            write_picture(project / f"{root}.ctf", rng.normal(size=(64, 64)).astype(np.float32), PIXEL)
            k = np.linspace(0.02, 0.33, 150)
            rings = 0.1 * np.cos(2 * np.pi * 300 * k**2) * (k < 1 / resolution)
            write_avrot(project / f"{root}_avrot.txt", (k, rings, rings + rng.normal(0, 0.02, k.size), rings, np.clip(1.2 - 4 * k, 0, 1), 0 * k), "m")
        rows[f"mics/m{i:05d}.mrc"] = {
            "defocus_u": 10100.0 + 10 * i, "defocus_v": 9900.0 + 10 * i, "angle": 10.0, "phase_shift": 0.0, "merit": 0.1, "resolution": resolution,
            "ice": ice, "score": 100.0, "rival": 10.0, "defocus_error": 20.0, "fault": "no Thon rings" if i == 2 else "",
            "image": f"{root}.ctf:mrc", "curves": {"k": [0.1] * 148, "average": [0.1] * 148, "rings": [0.1] * 148, "agreement": [0.1] * 148}}
    write_rows(folder, rows)
    return folder


def pick_folder(project: Path, count: int, seen: int = 6) -> Path:
    """Micrograph i has 20 + i % 30 picks."""
    folder, rng = project_job(project / "AutoPick/job004", "pick log", min_diameter=100.0, max_diameter=140.0), np.random.default_rng(3)
    rows: dict[str, dict | str] = {}
    for i in range(count):
        name, picks = f"mics/m{i:05d}.mrc", 20 + i % 30
        if i < seen:
            image(project / name, (700, 900), rng)
            (folder / "mics").mkdir(exist_ok=True)
            xy = rng.uniform((0, 0), (900, 700), (picks, 2))
            write_coordinates(folder / f"mics/m{i:05d}_autopick.star", Coordinates(
                xy, rng.uniform(0.5, 1.5, picks), np.ones(picks, dtype=np.int64), np.zeros(picks), {}))
        rows[name] = {"coordinates": f"mics/m{i:05d}_autopick.star", "picks": picks, "typical_sd": 6.0, "threshold": 0.5, "false": 1.0,
                      "pixel": 4.5, "scale": 3.0, "offset": 1.0, "reach": 13.0}
    write_rows(folder, rows)
    return folder


def extract_folder(project: Path, count: int, each: int = 7) -> Path:
    """Particle k of micrograph i is a constant image of i + k / 10."""
    folder = project_job(project / "Extract/job005", "extract", box=24, rescale=None)
    names = [f"mics/m{i:05d}.mrc" for i in range(count)]
    stacks = [f"mics/m{i:05d}.mrcs" for i in range(count)]
    (folder / "mics").mkdir(exist_ok=True)
    for i, stack in enumerate(stacks):
        with StackWriter(folder / stack, PIXEL) as writer:
            writer.append(np.full((each, 24, 24), i, dtype=np.float32) + np.arange(each, dtype=np.float32)[:, None, None] / 10)
    np.savez(folder / "windows.npz", names=np.array(names), stacks=np.array(stacks), bounds=np.arange(count + 1) * each)
    write_rows(folder, {name: {"particles": each, "checksum": 1, "sigma": 2.0, "flat": 0} for name in names})
    return folder


def live_folder(project: Path, rounds: int) -> Path:
    folder = project_job(project / "Live/job001", "live", marker="")
    for i in range(rounds):
        add_event(folder, time=30.0 * (i + 1), event="round", movies=1, rows={"import": i + 1, "motioncorr": i + 1, "ctf": i + 1, "pick": i + 1,
                                                                            "extract": 120 * (i + 1)},
                  seconds={"import": 0.1, "motioncorr": 12.0, "ctf": 3.0, "pick": 4.0, "extract": 1.0})
    return folder
