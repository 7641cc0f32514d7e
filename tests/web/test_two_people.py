"""Two servers and a command line on one folder: each shows what the others did; a draft in two windows."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from verglas.api import new_project, phantom, write_map
from verglas.project import program
from verglas.project.ask import How
from verglas.testing.page_client import PageClient

SOON = 6.0
"""Seconds until another server shows it, on a busy machine."""


def shown_after(page: PageClient, text: str) -> float:
    """Seconds until the page was told of it."""
    begun = time.monotonic()
    while not any(text in one for one in page.said):
        assert time.monotonic() - begun < SOON, text
        assert page.listen(0.1)
    return time.monotonic() - begun


@pytest.mark.slow
def test_two_servers_and_the_command_line_see_each_other(server_of: Any, tmp_path: Path) -> None:
    project = new_project(tmp_path / "p")
    (project.root / "map.mrc").write_bytes(b"x")
    servers = [server_of("--project", str(project.root)).enter() for _ in range(2)]
    pages = [PageClient(one.origin, one.cookie, one.base).open() for one in servers]
    for page in pages:
        page.listen(0.3)
    job = project.run("mask", map="map.mrc", how=How(hold=True))
    for page in pages:
        assert shown_after(page, job.name) < SOON
    subprocess.run([sys.executable, "-m", "verglas", "project", "alias", "job001", "best"], cwd=project.root, check=True, env=program.environment(),
                   capture_output=True)
    for page in pages:
        assert shown_after(page, '"alias":"best"') < SOON
    project.trash(job)
    for page in pages:
        page.said.clear()
        assert shown_after(page, "No jobs yet") < SOON
        page.close()


@pytest.mark.slow
def test_the_second_window_on_a_draft_is_told(server_of: Any, page: Any, tmp_path: Path) -> None:
    project = new_project(tmp_path / "p")
    write_map(project.root / "map.mrc", phantom(32, 6.0))
    first = project.run("mask", map="map.mrc", how=How(hold=True))
    job = project.run("mask", map=first, lowpass=10, how=How(hold=True))
    servers = [server_of("--project", str(project.root)) for _ in range(2)]
    other = page.context.browser.new_page()
    windows = list(zip(servers, (page, other)))
    for server, window in windows:
        window.goto(f"{server.origin}{server.base}?token={server.token}")
        window.goto(f"{server.origin}{server.base}/new/mask?change={job.name}")
        window.locator('input[data-field="lowpass"]').wait_for()
    for (_, window), lowpass in zip(windows, ("20", "30")):
        window.locator('input[data-field="lowpass"]').fill(lowpass)
    for (_, window), sign in zip(windows, (".state.Scheduled", ".problem:visible")):
        window.get_by_role("button", name="Save changes").click()
        window.locator(sign).first.wait_for(timeout=60000)
    assert "was changed meanwhile, in another window or by somebody else" in other.locator(".problem:visible").inner_text()
    assert job.params["lowpass"] == 20
    for server, window in windows:
        window.goto(f"{server.origin}{server.base}/job/{job.name}")
        window.locator(".page textarea").fill("mine" if window is page else "yours")
    page.get_by_role("button", name="Save note").click()
    page.get_by_text("Note saved").wait_for()
    other.get_by_role("button", name="Save note").click()
    other.get_by_text("Somebody else has changed this note").wait_for()
    other.wait_for_function("document.querySelector('main textarea').value === 'mine\\n\\nyours'")
    assert job.note == "mine\n", "both texts are shown, and nothing is written before somebody has looked at them"
    page.wait_for_timeout(500)
    job.annotate("from elsewhere")
    page.wait_for_function("document.querySelector('main textarea').value === 'from elsewhere\\n'", timeout=10000)
    for server in servers:
        assert "Traceback" not in server.log.read_text()
