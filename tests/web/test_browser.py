"""The main path by clicks: new project, form, run, watch, report; nothing is loaded from elsewhere."""

import re
import time
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


@pytest.mark.slow
def test_draft_change_clone_delete_restore(server_of: Any, page: Any, tmp_path: Any) -> None:
    from verglas.api import new_project, phantom, write_map

    project = new_project(tmp_path / "p")
    write_map(project.root / "map.mrc", phantom(32, 6.0))
    server = server_of("--project", str(project.root))
    page.goto(f"{server.origin}{server.base}?token={server.token}")
    page.get_by_placeholder("Search jobs and job types").fill("mask")
    page.locator(".q-menu .q-item", has_text="New: Mask").first.click()
    page.get_by_role("button", name="Browse").click()
    page.locator(".q-dialog .q-item", has_text="map.mrc").click()
    assert page.locator('input[data-field="map"]').input_value() == "map.mrc"
    page.locator('input[data-field="lowpass"]').fill("900")
    page.locator('input[data-field="extend"]').click()
    page.get_by_text("900: must be >= 0, <= 500 Å.").wait_for()
    page.locator('input[data-field="lowpass"]').fill("40")
    page.get_by_role("button", name="Save as a draft").click()
    page.wait_for_url(re.compile("/job/MaskCreate/job001$"))
    page.get_by_text("a draft").first.wait_for()
    page.get_by_role("button", name="Change").click()
    assert page.locator('input[data-field="lowpass"]').input_value() == "40"
    page.locator('input[data-field="lowpass"]').fill("30")
    page.get_by_role("button", name="Save changes").click()
    page.locator(".page .state.Succeeded").wait_for(timeout=60000)
    assert project.job(1).params["lowpass"] == 30
    page.locator(".page textarea").fill("good <b>mask</b>")
    page.get_by_role("button", name="Save note").click()
    page.get_by_text("Note saved").wait_for()
    assert project.job(1).note == "good <b>mask</b>\n"
    page.get_by_placeholder("such as best").fill("first")
    page.get_by_role("button", name="Save name").click()
    page.get_by_text("MaskCreate/job001 = first").wait_for()
    page.get_by_role("button", name="Clone").click()
    assert page.locator('input[data-field="lowpass"]').input_value() == "30"
    page.get_by_role("button", name="Run").click()
    page.wait_for_url(re.compile("/job/MaskCreate/job002$"), timeout=60000)
    page.locator(".page .state.Succeeded").wait_for(timeout=60000)
    page.get_by_role("button", name="Clean").click()
    page.get_by_text("Gentle: files of all iterations but the last").wait_for()
    page.locator(".q-dialog").get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Delete").click()
    page.locator(".q-dialog").get_by_role("button", name="Delete").click()
    page.wait_for_url(re.compile(r"/p/[0-9a-f]{10}$"))
    assert project.trashed() == ("MaskCreate/job002",)
    page.goto(f"{server.origin}{server.base}/trash")
    page.get_by_role("button", name="Restore").click()
    page.get_by_text("Nothing is in the trash.").wait_for()
    assert [one.name for one in project.jobs()] == ["MaskCreate/job001", "MaskCreate/job002"]
    assert "Traceback" not in server.log.read_text()


@pytest.mark.slow
def test_killing_the_server_ends_no_job_and_the_next_one_finds_them(server_of: Any, tmp_path: Any) -> None:
    from verglas.api import new_project
    from verglas.project.ask import How

    project = new_project(tmp_path / "p")
    server = server_of("--project", str(project.root))
    first = project.run("simulate particles", phantom=True, box=64, pixel_size=3.0, number=300, how=How(cpus=1))
    second = project.run("mask", map=first)
    wait(lambda: first.state == "Running" and (first.folder / "job.json").exists())
    server.process.send_signal(9)
    wait(lambda: first.state == "Succeeded")
    assert second.state == "Scheduled", "nobody schedules"
    server_of("--project", str(project.root))
    wait(lambda: second.state == "Succeeded")


def wait(condition: Any, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("width", [1440, 1024])
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_no_page_is_wider_than_the_window(served: Any, page: Any, width: int, mode: str) -> None:
    server, _ = served
    name, _, value = server.cookie.partition("=")
    page.context.add_cookies([{"name": name, "value": value, "url": server.origin}, {"name": "verglas_mode", "value": mode, "url": server.origin}])
    page.set_viewport_size({"width": width, "height": 900})
    for path in ("", "/graph", "/new", "/new/refine3d", "/new/simulate%20particles", "/job/Class2D/job002", "/job/Import/job001", "/trash"):
        page.goto(server.origin + server.base + path)
        page.locator("main.page").wait_for()
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        wide = page.evaluate("""[...document.querySelectorAll('main *')].filter(one => one.getBoundingClientRect().right > innerWidth + 1
            && !one.closest('.graph, .q-table__container')).map(one => one.className)""")
        assert not wide, (path, wide)
        assert page.evaluate("window.hacked") is None
        assert page.evaluate("document.body.classList.contains('body--dark')") == (mode == "dark")
