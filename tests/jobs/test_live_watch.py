"""Files that are still being written are waited for."""

from pathlib import Path

from verglas.errors import DataError
from verglas.jobs.live_watch import Watcher, natural


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
