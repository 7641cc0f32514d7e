"""A server of its own process with a small project, and a Chromium that has its cookie."""

import hashlib
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from verglas.api import new_project, open_project
from verglas.io.pipeline_star import write_pipeline
from verglas.project import program
from verglas.project.ask import How
from verglas.types.pipeline import Node, Pipeline, Process

CHROMIUM = Path("/usr/bin/chromium")
SECRET = "what nobody may read through the server"


@dataclass
class Server:
    """`origin`: http://127.0.0.1:PORT; `token` opens it once; `base`: /p/KEY of its project; `seconds` until it listened."""

    origin: str
    token: str
    base: str
    log: Path
    seconds: float
    process: "subprocess.Popen[bytes]"
    cookie: str = ""

    def ask(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> HTTPResponse:
        """With exactly these headers, and the Host of the server where none is given."""
        host = self.origin.removeprefix("http://")
        connection = HTTPConnection(host, timeout=30)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in ({"Host": host} | {name.replace("_", "-"): value for name, value in headers.items()}).items():
            connection.putheader(name, value)
        connection.endheaders(body)
        return connection.getresponse()

    def get(self, path: str, **headers: str) -> HTTPResponse:
        """With the cookie."""
        return self.ask(path, Cookie=self.cookie, **headers)

    def enter(self) -> "Server":
        """Take the token for a cookie."""
        answer = self.ask(f"/?token={self.token}")
        assert answer.status == 303, answer.status
        self.cookie = (answer.getheader("set-cookie") or "").partition(";")[0]
        return self

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def start_server(home: Path, *words: str) -> Server:
    """`verglas web` in a process without what tells NiceGUI that it is tested, and with a list of recent projects of its own."""
    log = home / f"server-{time.time_ns()}.log"
    kept = {name: value for name, value in program.environment().items() if not name.startswith(("PYTEST", "NICEGUI"))}
    begun = time.monotonic()
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-m", "verglas", "web", "--port", "0", *words], stdout=file, stderr=file, cwd=home,
                                   env=kept | {"XDG_CONFIG_HOME": str(home), "XDG_RUNTIME_DIR": str(home), "OMP_NUM_THREADS": "1"})
    while time.monotonic() - begun < 60:
        found = re.search(r"(http://[^/\s]+)(/\S*)\?token=(\S+)", log.read_text())
        if found:
            return Server(found[1], found[3], found[2], log, time.monotonic() - begun, process)
        assert process.poll() is None, log.read_text()
        time.sleep(0.02)
    raise AssertionError(f"no address within 60 s: {log.read_text()}")


def make_project(folder: Path) -> Path:
    """Two jobs; movies and a secret outside, of which only the movies are imported; names that try to be HTML."""
    outside = folder / "elsewhere"
    outside.mkdir()
    (outside / "a.mrc").write_bytes(b"movie")
    (outside / "secret.txt").write_text(SECRET)
    root = new_project(folder / "project").root
    (root / "Movies").symlink_to(outside)
    (root / "loop").symlink_to(root / "loop")
    for name in ("Import/job001", "Class2D/job002"):
        (root / name).mkdir(parents=True)
        (root / name / "RELION_JOB_EXIT_SUCCESS").touch()
    (root / "Import/job001/movies.star").write_text("data_\n\nloop_\n_rlnMicrographMovieName #1\nMovies/a.mrc\n")
    (root / "Import/job001/linked.txt").symlink_to(outside / "secret.txt")
    (root / "Class2D/job002/note.txt").write_text("<script>window.hacked = 1</script>")
    (root / "Class2D/job002/report.html").write_text("<h1>Report</h1><script>window.parent.hacked = 1</script>")
    movies = Node("Import/job001/movies.star", "MicrographMovieGroupMetadata.star.relion")
    write_pipeline(root / "default_pipeline.star", Pipeline(
        3, (Process("Import/job001", "relion.import.movies", "Succeeded"),
            Process("Class2D/job002", "relion.class2d", "Succeeded", "Class2D/<b>x</b>")),
        (movies,), ((movies.name, "Class2D/job002"),), (("Import/job001", movies.name),)))
    return root


@contextmanager
def serve(folder: Path, root: Path, *words: str) -> Iterator[tuple[Server, Path]]:
    """A server on a project, entered, and the folder of the project."""
    server = start_server(folder, "--project", str(root), *words)
    try:
        yield server.enter(), root
    finally:
        server.end()


@pytest.fixture(scope="session")
def serving() -> Callable[..., AbstractContextManager[tuple[Server, Path]]]:
    """serve, for fixtures of other files."""
    return serve


@pytest.fixture
def server_of(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """start(*words) -> Server."""
    running: list[Server] = []

    def start(*words: str) -> Server:
        running.append(start_server(tmp_path, *words))
        return running[-1]

    yield start
    for one in running:
        one.end()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A server on `make_project`, entered, and the folder of the project."""
    folder = tmp_path_factory.mktemp("served")
    with serve(folder, make_project(folder)) as found:
        yield found


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A server that may only read a folder which could be written, with a draft in it."""
    folder = tmp_path_factory.mktemp("looked")
    root = make_project(folder)
    (root / "map.mrc").write_bytes(b"x")
    open_project(root).run("mask", map="map.mrc", how=How(hold=True))
    with serve(folder, root, "--read-only") as found:
        yield found


@pytest.fixture
def contents() -> Callable[[Path], dict[str, str]]:
    """Every file of a project's folder, and of what lies beside it, by its content; what the server itself says is left out."""

    def read(root: Path) -> dict[str, str]:
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "" for path in sorted(root.parent.rglob("*"))
                if not path.name.startswith("server-")}

    return read


@pytest.fixture
def page() -> Iterator[Any]:
    """A page of Chromium at 1440 x 900."""
    api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": 1440, "height": 900})
        browser.close()

