"""A kept file is read once, and again when it has changed."""

from pathlib import Path

from verglas.io.atomic import atomic_path
from verglas.io.kept import kept


def test_read_once_until_it_changes(tmp_path: Path) -> None:
    reads: list[str] = []

    @kept
    def text(path: Path) -> str:
        reads.append(path.name)
        return path.read_text()

    one = tmp_path / "one"
    one.write_text("a")
    assert [text(one), text(one)] == ["a", "a"] and reads == ["one"]
    with atomic_path(one) as temporary:
        temporary.write_text("b")
    assert [text(one), text(one)] == ["b", "b"] and len(reads) == 2
