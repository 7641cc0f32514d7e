"""Files that are still being written are waited for."""

import os
from pathlib import Path

import numpy as np
import pytest

from verglas.errors import DataError, VerglasError
from verglas.jobs.live_watch import Watcher, natural, whole_movie
from verglas.testing.eer_movies import encode_frame, write_eer


def test_a_growing_file_is_not_complete(tmp_path: Path) -> None:
    watcher, movie = Watcher(str(tmp_path / "*.tiff"), settle=10), tmp_path / "a.tiff"
    movie.write_bytes(b"1")
    assert watcher.poll(0) == ([], 1)
    movie.write_bytes(b"12")
    assert watcher.poll(11) == ([], 1)  # it has changed since
    assert watcher.poll(20) == ([], 1)
    assert watcher.poll(21) == ([str(movie)], 0)
    assert watcher.poll(22) == ([str(movie)], 0)


def test_an_empty_or_unreadable_file_is_waited_for(tmp_path: Path) -> None:
    def half(path: Path) -> None:
        if path.read_bytes() != b"whole":
            raise DataError("truncated")

    watcher, movie = Watcher(str(tmp_path / "*.tiff"), settle=1, open_=half), tmp_path / "a.tiff"
    movie.touch()
    assert [watcher.poll(t)[0] for t in (0, 5, 50)] == [[], [], []]
    movie.write_bytes(b"who")
    assert [watcher.poll(t)[0] for t in (51, 53, 60)] == [[], [], []]
    movie.write_bytes(b"whole")
    assert [watcher.poll(t)[0] for t in (61, 62)] == [[], [str(movie)]]


def test_a_file_put_in_place_of_another_is_another(tmp_path: Path) -> None:
    """Same name, size and time of change."""
    watcher, movie = Watcher(str(tmp_path / "*.tiff"), settle=10), tmp_path / "a.tiff"
    for name in (movie, tmp_path / ".a.tiff.x"):
        name.write_bytes(b"12")
        os.utime(name, (1e9, 1e9))
    assert watcher.poll(0) == ([], 1)
    (tmp_path / ".a.tiff.x").replace(movie)
    assert watcher.poll(11) == ([], 1)
    assert watcher.poll(21) == ([str(movie)], 0)


def test_only_movies_that_are_not_taken(tmp_path: Path) -> None:
    for name in ("a.tiff", "b.TIFF", "c.xml"):
        (tmp_path / name).write_bytes(b"1")
    watcher = Watcher(str(tmp_path / "*"), settle=0, endings=(".tiff",))
    ready = watcher.poll(0)[0]
    assert [Path(name).name for name in ready] == ["a.tiff", "b.TIFF"]
    watcher.taken.add(ready[0])
    assert watcher.poll(1) == ([ready[1]], 0)


def test_a_movie_that_lacks_data_is_not_whole(tmp_path: Path) -> None:
    write_eer(tmp_path / "a.eer", [encode_frame(np.array([[5, 0, 0]]), 64)] * 3, (8, 8))
    whole_movie(tmp_path / "a.eer")
    raw = (tmp_path / "a.eer").read_bytes()
    (tmp_path / "a.eer").write_bytes(raw[:-1])
    with pytest.raises(VerglasError):
        whole_movie(tmp_path / "a.eer")


def test_a_broken_movie_is_handed_on_in_the_end(tmp_path: Path) -> None:
    def broken(path: Path) -> None:
        raise DataError("truncated")

    watcher = Watcher(str(tmp_path / "*.tiff"), settle=1, open_=broken)
    (tmp_path / "a.tiff").write_bytes(b"x")
    assert [len(watcher.poll(t)[0]) for t in (0, 10, 19, 20)] == [0, 0, 0, 1]


def test_natural_order_and_files_that_go(tmp_path: Path) -> None:
    watcher = Watcher(str(tmp_path / "*.tiff"), settle=0)
    for n in (10, 2, 1):
        (tmp_path / f"m_{n}.tiff").write_bytes(b"x")
    assert [Path(name).stem for name in watcher.poll()[0]] == ["m_1", "m_2", "m_10"]
    assert sorted(["b", "a10", "a9", "1a"], key=natural) == ["1a", "a9", "a10", "b"]
