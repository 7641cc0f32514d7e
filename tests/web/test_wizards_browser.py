"""Each wizard in Chromium: it opens beside its field, shows the data, its value goes into the form, and the form's check agrees."""

import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from looked import DEFOCUS, DISC, looked_project

MICROGRAPHS, RINGS = "MotionCorr/job001/micrographs.star", "MotionCorr/job001/rings.star"


class Form:
    """The form of a job with some values; what the browser complained of is in `wrong`."""

    def __init__(self, server: Any, page: Any) -> None:
        self.server, self.page = server, page
        self.wrong: list[str] = []
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda one: self.wrong.append(one.text) if one.type == "error" else None)
        page.goto(f"{server.origin}{server.base}?token={server.token}")

    def open(self, job: str, **params: str) -> None:
        self.page.goto(f"{self.server.origin}{self.server.base}/new/{job}?{urlencode(params)}")

    def look(self, field: str, ready: bool = True) -> None:
        self.page.locator(".field", has=self.page.locator(f'[data-field="{field}"]')).get_by_role("button", name="Look").click()
        self.page.locator(".wizard").wait_for()
        if ready:
            self.page.locator(".wizard .vg-button.main:enabled").wait_for(timeout=90000)

    def number(self, label: str) -> Any:
        return self.page.get_by_label(label, exact=True).last

    def use(self) -> None:
        self.page.locator(".wizard").get_by_role("button", name="Use", exact=True).click()
        self.page.locator(".wizard").wait_for(state="detached")

    def value(self, field: str) -> str:
        return str(self.page.locator(f'input[data-field="{field}"]').input_value())

    def check(self, words: str) -> None:
        self.page.get_by_role("button", name="Check and forecast").click()
        self.page.locator("section.card dd", has_text=words).first.wait_for(timeout=60000)
        assert not self.wrong, self.wrong


@pytest.fixture
def form(server_of: Any, page: Any, tmp_path: Path) -> Form:
    return Form(server_of("--project", str(looked_project(tmp_path))), page)


@pytest.mark.slow
def test_mask_diameter_on_class_averages(form: Form) -> None:
    page = form.page
    form.open("class2d", particles="Class2D/job003/run_it005_data.star", classes="4")
    form.look("mask_diameter")
    page.get_by_text("1 of 2: class 2, 60 % of the particles").wait_for()
    suggested = float(form.number("Mask diameter").input_value())
    assert 1.2 * DISC < suggested < 1.6 * DISC
    page.keyboard.press("Escape")
    page.locator(".wizard").wait_for(state="detached")
    assert form.value("mask_diameter") == ""
    form.look("mask_diameter")
    box = page.locator(".wizard-canvas canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2 + 30, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 60, box["y"] + box["height"] / 2)
    page.mouse.up()
    page.get_by_text("The circle cuts into the particle.").wait_for()
    form.number("Mask diameter").fill("190")
    form.number("Mask diameter").press("Enter")
    assert page.get_by_text("The circle cuts into the particle.").is_hidden()
    page.locator(".wizard select").select_option("particles")
    page.get_by_text("1 of 24: mean of 60 particles").wait_for()
    form.use()
    assert form.value("mask_diameter") == "190"
    form.check("190 Å")


@pytest.mark.slow
def test_picks_and_their_threshold(form: Form) -> None:
    page = form.page
    form.open("pick%20log", micrographs=MICROGRAPHS)
    form.look("threshold")
    canvas = page.locator(".wizard-canvas canvas[data-picks]")
    canvas.wait_for()
    form.number("Min diameter").fill("110")
    form.number("Max diameter").fill("160")
    form.number("Max diameter").press("Enter")
    page.wait_for_function("Number(document.querySelector('.wizard-canvas canvas').dataset.picks) > 15", timeout=60000)
    page.get_by_role("button", name="›").click()
    page.get_by_text("2 of 2").wait_for(timeout=60000)
    canvas.wait_for(timeout=60000)
    few = int(canvas.get_attribute("data-picks"))
    page.get_by_text("Automatic for each micrograph").click()
    form.number("Threshold").fill("1.1")
    form.number("Threshold").press("Enter")
    assert int(canvas.get_attribute("data-picks")) < few
    form.number("Threshold").fill("0.8")
    form.use()
    assert [form.value(one) for one in ("min_diameter", "max_diameter", "threshold", "min_distance")] == ["110", "160", "0.8", ""]
    form.check("between picks")


@pytest.mark.slow
def test_mask_on_slices(form: Form) -> None:
    page = form.page
    form.open("mask", map="Import/job004/map.mrc")
    form.look("threshold")
    page.locator(".wizard dd", has_text="kDa").wait_for(timeout=60000)
    before = page.locator(".wizard dd", has_text="voxels").inner_text()
    page.get_by_text("Automatic, from the histogram").click()
    form.number("Threshold, slider").press("End")
    for _ in range(5):
        form.number("Threshold, slider").press("PageDown")
    page.wait_for_function("was => { const now = [...document.querySelectorAll('.wizard dd')].find(one => one.textContent.includes('voxels')); "
                           "return now && now.textContent !== was; }", arg=before)
    form.number("Soft edge").fill("4")
    form.number("Soft edge").press("Enter")
    page.locator(".wizard-three canvas").first.click(position={"x": 40, "y": 60})
    page.locator(".wizard dd", has_text="voxels").wait_for()
    form.use()
    assert float(form.value("threshold")) > 0 and form.value("soft_edge") == "4" and form.value("lowpass") == "15"
    form.check("48")


@pytest.mark.slow
def test_range_of_the_ctf_search(form: Form) -> None:
    page = form.page
    form.open("ctf", micrographs=RINGS)
    form.look("max_defocus")
    fitted = page.locator(".wizard canvas[data-fitted]:not([data-fitted=''])")
    fitted.wait_for(timeout=60000)
    assert abs(float(fitted.get_attribute("data-fitted")) - DEFOCUS) < 200
    form.number("Min defocus").fill("8000")
    form.number("Max defocus").fill("20000")
    form.number("Max resolution").fill("5")
    form.number("Max resolution").press("Enter")
    page.wait_for_timeout(1500)
    form.use()
    assert [form.value(one) for one in ("min_defocus", "max_defocus", "max_resolution")] == ["8000", "20000", "5"]
    form.check("8000 to 20000 Å")


@pytest.mark.slow
def test_what_is_missing_is_said(form: Form) -> None:
    page = form.page
    form.open("mask")
    page.locator('input[data-field="map"]').fill("")
    form.look("threshold", ready=False)
    page.get_by_text("Choose Map on the form first").wait_for()
    assert page.locator(".wizard").get_by_role("button", name="Use", exact=True).is_disabled()
    page.locator(".wizard").get_by_role("button", name="Cancel").click()
    page.locator(".wizard").wait_for(state="detached")
    page.locator('input[data-field="map"]').fill("../../etc/passwd")
    form.look("threshold", ready=False)
    page.get_by_text("Give a file by its name in the project").wait_for()
