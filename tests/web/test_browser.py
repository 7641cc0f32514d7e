"""The main path by clicks: new project, form, run, watch, report; nothing is loaded from elsewhere."""

import re
from typing import Any

import pytest


@pytest.mark.slow
def test_from_an_empty_folder_to_a_report(server_of: Any, page: Any, tmp_path: Any) -> None:
    server = server_of()
    asked: list[str] = []
    problems: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{server.origin}/?token={server.token}")
    card = page.locator("section.card", has_text="New project")
    card.locator("input").fill(str(tmp_path / "tutorial"))
    card.get_by_role("button", name="Make project").click()
    page.wait_for_url(re.compile(r"/p/[0-9a-f]{10}$"))
    page.get_by_role("button", name="New job").click()
    page.get_by_placeholder("Search the types of jobs").fill("simulate")
    page.locator("a.type", has_text="Simulate particles").click()
    page.get_by_role("button", name="Run").click()
    page.locator(".problem:visible").get_by_text("What to do: give Map, Model or Phantom").wait_for(timeout=60000)
    assert page.url.endswith("/new/simulate%20particles"), "what cannot run is not made a job"
    page.locator('[data-field="phantom"]').click()
    for name, value in {"box": "3 2", "pixel_size": "6", "number": "40"}.items():
        page.locator(f'input[data-field="{name}"]').fill(value)
    page.get_by_role("button", name="Run").click()
    page.get_by_text("must be a whole number").wait_for()
    page.locator('input[data-field="box"]').fill("32")
    page.get_by_role("button", name="Check and forecast").click()
    page.get_by_text("32 px at 6").wait_for(timeout=60000)
    page.get_by_role("button", name="Run").click()
    page.wait_for_url(re.compile(r"/job/Simulate/job001$"))
    page.locator(".page .state.Succeeded").wait_for(timeout=120000)
    page.get_by_role("tab", name="Files").click()
    page.get_by_text("Simulate/job001/map.mrc").wait_for()
    page.locator(".line", has_text="Simulate/job001/map.mrc").last.get_by_role("button", name="Use in").click()
    page.locator(".q-menu .q-item", has_text=re.compile("^Mask$")).click()
    page.wait_for_url(re.compile(r"/new/mask"))
    assert page.locator('input[data-field="map"]').input_value() == "Simulate/job001/map.mrc"
    page.get_by_role("button", name="Run").click()
    page.locator(".page .state.Succeeded").wait_for(timeout=120000)
    page.get_by_role("tab", name="Report").click()
    if not page.locator("iframe.report").count():
        page.get_by_role("button", name="Write the report").click()
    page.frame_locator("iframe.report").get_by_text("mask", exact=False).first.wait_for(timeout=60000)
    page.goto(f"{server.origin}{page.url.removeprefix(server.origin).split('/job/')[0]}/graph")
    assert page.locator(".graph a").count() == 2 and page.locator(".graph path").count() == 1
    assert all(one.startswith((server.origin, "data:", "blob:")) for one in asked), [one for one in asked if not one.startswith(server.origin)]
    assert not problems
    assert "Traceback" not in server.log.read_text()
