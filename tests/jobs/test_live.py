"""verglas live: movies that arrive while it runs go through the chain once, also when it is begun again."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from verglas.errors import InputError
from verglas.io.micrographs_star import read_micrographs
from verglas.jobs import live
from verglas.jobs.live_stages import stages_of
from verglas.jobs.runner import Request, run_job
from verglas.runtime.resources import Resources

COMMON = {"movies": "Movies/*", "pixel_size": 2.0, "dose": 2.0}


def write_movie(path: Path, seed: int) -> None:
    """Frames of one scene and noise."""
    rng = np.random.default_rng(seed)
    scene = np.clip(8 + 3 * np.fft.irfft2(np.fft.rfft2(rng.normal(size=(256, 256))) * 4), 0, None)
    tifffile.imwrite(path, rng.poisson(scene, (6, 256, 256)).astype(np.uint8), compression="lzw", photometric="minisblack")


def run(project: Path, continuing: bool = False) -> Path:
    params = live.LiveParams(**COMMON, pick="none", settle=0.2, idle=0.06)
    return run_job(live.JOB, params, Request(Resources(threads=2), project / "Live/job001", project, continuing, quiet=True))


def names(project: Path) -> list[str]:
    (table,) = project.glob("MotionCorr/job*/corrected_micrographs.star")
    return sorted(Path(name).stem for name in read_micrographs(table).name)


def test_movies_that_come_later_and_a_second_run(tmp_path: Path) -> None:
    (tmp_path / "Movies").mkdir()
    write_movie(tmp_path / "Movies/a.tiff", 1)

    def more() -> None:
        """b grows, with rests that are longer than --settle; c is first half there, then the whole is put in its place; xml files come too."""
        for name, seed in (("b", 2), ("c", 3)):
            write_movie(tmp_path / f"{name}.tiff", seed)
        (tmp_path / "Movies/b.xml").write_text("<x/>")
        whole = (tmp_path / "b.tiff").read_bytes()
        half = (tmp_path / "c.tiff").read_bytes()
        (tmp_path / "Movies/c.tiff").write_bytes(half[: len(half) // 2])
        with (tmp_path / "Movies/b.tiff").open("wb") as file:
            for place in range(0, len(whole), len(whole) // 3 + 1):
                file.write(whole[place : place + len(whole) // 3 + 1])
                file.flush()
                time.sleep(0.5)
        (tmp_path / "c.tiff").replace(tmp_path / "Movies/c.tiff")

    writer = threading.Thread(target=more)
    writer.start()
    run(tmp_path)
    writer.join()
    assert names(tmp_path) == ["a", "b", "c"]
    write_movie(tmp_path / "Movies/d.tiff", 4)
    run(tmp_path, continuing=True)
    assert names(tmp_path) == ["a", "b", "c", "d"]
    assert len(list(tmp_path.glob("Import/job*"))) == len(list(tmp_path.glob("MotionCorr/job*"))) == 1
    rows = next(tmp_path.glob("MotionCorr/job*/rows.jsonl")).read_text().split("\n")
    assert sum(line != "" for line in rows) == 4  # nothing was done twice, and nothing failed


def test_options_are_checked_at_the_door(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--min-diameter"):
        stages_of(live.LiveParams(**COMMON))
    (tmp_path / "o.toml").write_text("[motioncorr]\npatches = 5\n")
    with pytest.raises(InputError, match="motioncorr has no option 'patches'"):
        stages_of(live.LiveParams(**COMMON, pick="none", options=tmp_path / "o.toml"))
    (tmp_path / "o.toml").write_text("[polish]\nx = 5\n")
    with pytest.raises(InputError, match=r"\[polish\] is not a stage"):
        stages_of(live.LiveParams(**COMMON, pick="none", options=tmp_path / "o.toml"))
    (tmp_path / "o.toml").write_text("[motioncorr]\npatches_x = 3\n")
    chain = stages_of(live.LiveParams(**COMMON, pick="none", options=tmp_path / "o.toml"))
    assert [one.name for one in chain] == ["import", "motioncorr", "ctf"] and chain[1].params["patches_x"] == 3
