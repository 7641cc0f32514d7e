"""A server without its guard, a real project (read only) and a small project of our own."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("nicegui")
from fastapi import FastAPI
from fastapi.testclient import TestClient

from verglas.api.project import Project, open_project
from verglas.io.mrc import StackWriter, write_map
from verglas.project.layout import create_project
from verglas.testing.data import shared_data
from verglas.types import Map
from verglas.web import places
from verglas.web.data import ROUTERS


@pytest.fixture(autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    known = dict(places._open)
    yield
    places._open.clear()
    places._open.update(known)


@pytest.fixture(scope="session")
def app() -> FastAPI:
    made = FastAPI()
    for router in ROUTERS:
        made.include_router(router, prefix="/p/{key}/data")
    return made


class Client:
    """Questions to the data routes of one project."""

    def __init__(self, app: FastAPI, project: Project) -> None:
        self.project, self.base = project, f"/p/{places.admit(project)}/data"
        self.http = TestClient(app, raise_server_exceptions=False)

    def get(self, path: str, **values: object):
        return self.http.get(self.base + path, params={name: value for name, value in values.items() if value is not None})

    def post(self, path: str, body: object):
        return self.http.post(self.base + path, json=body)


@pytest.fixture
def bgal(app: FastAPI) -> Client:
    return Client(app, open_project(shared_data("bgal-project"), read_only=True))


@pytest.fixture
def small(app: FastAPI, tmp_path: Path) -> Client:
    """A map, a micrograph with picks, a stack with its particle table, and a file beside the project that no route may give."""
    root = create_project(tmp_path / "project")
    rng = np.random.default_rng(1)
    data = rng.normal(size=(20, 20, 20)).astype(np.float32)
    write_map(root / "map.mrc", Map(data, 2.0, (0.0, 0.0, 0.0)))
    write_map(root / "other.mrc", Map(2.0 * data + 3.0, 2.0, (0.0, 0.0, 0.0)))
    write_map(root / "larger.mrc", Map(rng.normal(size=(24, 24, 24)).astype(np.float32), 2.0, (0.0, 0.0, 0.0)))
    for name in ("mic.mrc", "mic2.mrc"):
        with StackWriter(root / name, 1.5) as stack:
            stack.append(rng.normal(size=(1, 60, 90)).astype(np.float32))
    with StackWriter(root / "images.mrcs", 2.0) as stack:
        stack.append(rng.normal(size=(30, 16, 16)).astype(np.float32))
    rows = "".join(f"{k + 1:06d}@images.mrcs mic{'' if k % 2 else '2'}.mrc {3 * k}.0 {k}.5 {k / 30:.3f} {k % 3 + 1}\n" for k in range(30))
    (root / "particles.star").write_text(
        "data_particles\n\nloop_\n_rlnImageName\n_rlnMicrographName\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnAutopickFigureOfMerit\n_rlnClassNumber\n"
        + rows)
    (root / "outside.star").write_text("data_particles\n\nloop_\n_rlnImageName\n000001@../secret.mrcs\n000001@/etc/passwd\n")
    (root / "strange.star").write_text("data_<b>\n\nloop_\n_rln<script>\n_rlnX\n<img/onerror=alert(1)> nan\n'a b' inf\n")
    (root / "text.mrc").write_text("not a map")
    with StackWriter(tmp_path / "secret.mrcs", 2.0) as stack:
        stack.append(np.zeros((1, 8, 8), dtype=np.float32))
    return Client(app, open_project(root))
