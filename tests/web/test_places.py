"""Which files a server may give."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import HTTPException

from verglas.api import new_project, open_project
from verglas.testing.data import shared_data
from verglas.web import places


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))


def refused(project: Any, name: str) -> int:
    with pytest.raises(HTTPException) as error:
        places.file_in(project, name)
    return error.value.status_code


def test_files_by_their_names_in_the_project(served: Any) -> None:
    project = open_project(served[1])
    assert places.file_in(project, "Import/job001/movies.star").is_file()
    assert places.file_in(project, "Movies/a.mrc").read_bytes() == b"movie", "an imported movie lies outside, and a job names it"
    assert refused(project, "Movies/secret.txt") == 403, "beside the movies, but no table names it"
    assert refused(project, "Import/job001/linked.txt") == 403, "a link out that nothing names"
    for name in ("", "/etc/passwd", "../elsewhere/secret.txt", "Import/../../elsewhere/secret.txt", "~/x", "a\0b", "x" * 2000):
        assert refused(project, name) == 403, name
    for name in ("nothing", "Import", "loop", "Import/job001/movies.star/x", "y" * 300):
        assert refused(project, name) == 404, name


def test_a_name_must_stand_whole_in_the_table(served: Any) -> None:
    root = served[1]
    (root.parent / "elsewhere" / "b.mrc.txt").write_text("x")
    (root.parent / "elsewhere" / "b.mrc").write_text("x")
    table = root / "Import/job001/movies.star"
    table.write_text(table.read_text() + "000001@Movies/b.mrc.txt\n")
    project = open_project(root)
    assert places.file_in(project, "Movies/b.mrc.txt").is_file()
    assert refused(project, "Movies/b.mrc") == 403


def test_projects_are_known_by_key_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = new_project(tmp_path / "p").root
    key = places.admit(open_project(root))
    assert places.project_of(key).root == root and places.recent() == [root]
    monkeypatch.setattr(places, "_open", {})
    assert places.project_of(key).root == root, "a server that is started again knows it"
    places.forget(root)
    monkeypatch.setattr(places, "_open", {})
    with pytest.raises(HTTPException):
        places.project_of(key)


def test_the_real_project_is_read_where_it_lies() -> None:
    project = open_project(shared_data("bgal-project"))
    name = next(one.name for one in project.pipeline.nodes if (project.root / one.name).is_file())
    assert places.file_in(project, name) == (project.root / name).resolve()
