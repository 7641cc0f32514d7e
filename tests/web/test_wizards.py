"""What the wizards show is what the jobs find; what is wrong with a question is said, and a look can be given up."""

import base64
import json
import os
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import HTTPException

sys.path.insert(0, str(Path(__file__).parent))
from looked import DEFOCUS, DISC, disc, looked_project

from verglas.api import make_mask, open_project, particle_diameter, read_map
from verglas.api.project import Project
from verglas.errors import InputError
from verglas.io.coordinates import read_coordinates
from verglas.jobs.registry import find
from verglas.jobs.spec import options
from verglas.types.pipeline import Node, Pipeline, Process
from verglas.web import app
from verglas.web.wizards import WIZARDS, mask, pool, wizard_of
from verglas.web.wizards.asked import Asked, checked, in_words
from verglas.web.wizards.recent import Recent

MICROGRAPHS, RINGS = "MotionCorr/job001/micrographs.star", "MotionCorr/job001/rings.star"
PARTICLES, DATA, MAP = "Extract/job002/particles.star", "Class2D/job003/run_it005_data.star", "Import/job004/map.mrc"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return open_project(looked_project(tmp_path_factory.mktemp("looked")))


@pytest.fixture
def here(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """In the folder of the project, where looking is done."""
    monkeypatch.chdir(project.root)
    return project


def ask(project: Project, wizard: str, job: str, params: dict[str, Any], **more: Any) -> dict[str, Any]:
    asked = checked(project, project.pipeline, Asked(wizard=wizard, job=job, params=params, **more))  # type: ignore[arg-type]
    found: dict[str, Any] = import_module(f"verglas.web.wizards.{wizard}").look(project, asked)
    json.dumps(found, allow_nan=False)
    return found


def refused(project: Project, wizard: str, job: str, params: dict[str, Any]) -> tuple[int, str]:
    with pytest.raises(HTTPException) as error:
        checked(project, project.pipeline, Asked(wizard=wizard, job=job, params=params))  # type: ignore[arg-type]
    return error.value.status_code, str(error.value.detail)


def test_wizards_are_of_parameters_that_stand_on_the_form_and_have_a_script() -> None:
    for name, jobs in WIZARDS.items():
        assert (app.STATIC / f"wizard_{name}.js").is_file() and callable(import_module(f"verglas.web.wizards.{name}").look)
        for job, wizard in jobs.items():
            known = {one.name: one for one in options(find(job).params)}
            assert {*wizard.fields, *wizard.inputs} <= set(known), job
            assert all(known[one].level == "normal" for one in wizard.fields), job
            assert wizard_of(job) == (name, wizard)
    assert wizard_of("postprocess") is None


@pytest.mark.parametrize("diameter", [60.0, 120.0, 170.0])
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_a_disc_looks_as_wide_as_it_is(diameter: float, noise: float) -> None:
    images = disc(diameter, 64, 3.5) + noise * np.random.default_rng(2).normal(size=(60, 64, 64))
    assert particle_diameter(images, 3.5) == pytest.approx(diameter, abs=2 * 3.5)
    assert particle_diameter(5 - 3 * images, 3.5) == pytest.approx(diameter, abs=2 * 3.5), "neither grey scale nor sign matter"


def test_noise_alone_has_no_diameter_to_speak_of() -> None:
    assert particle_diameter(np.random.default_rng(3).normal(size=(60, 64, 64)), 3.5) < 64 * 3.5 * 0.85
    assert particle_diameter(np.ones((3, 32, 32)), 3.5) == 0


@pytest.mark.parametrize(("particles", "source"), [(DATA, "averages"), (PARTICLES, "particles")])
def test_a_mask_is_suggested_from_averages_where_there_are_any(here: Project, particles: str, source: str) -> None:
    found = ask(here, "diameter", "class3d", {"particles": particles})
    assert found["source"] == source and found["visible"] == pytest.approx(DISC, abs=12)
    assert DISC * 1.2 < found["suggested"] < found["width"] == 240
    assert len(found["images"]) == len(found["words"]) and found["images"][0].startswith("data:image/png")
    other = ask(here, "diameter", "class3d", {"particles": particles, "reference": MAP}, source="reference")
    assert other["source"] == "reference" and len(other["images"]) == 3


def test_picks_are_those_of_the_job(here: Project, tmp_path: Path) -> None:
    from verglas.jobs import pick_log
    from verglas.jobs.spec import Context

    given = {"micrographs": MICROGRAPHS, "min_diameter": "110", "max_diameter": 160.0}
    assert ask(here, "picks", "pick log", given, row=1)["fom"] == [], "the micrograph comes before its picks"
    found = ask(here, "picks", "pick log", given, row=1, fit=True)
    context = Context(tmp_path, here.root)
    pick_log.run(pick_log.PickLogParams(micrographs=Path(MICROGRAPHS), min_diameter=110, max_diameter=160), context)
    theirs = read_coordinates(tmp_path / "autopick.star", tmp_path)["MotionCorr/job001/b.mrc"]
    ours = np.array([xy for xy, fom in zip(found["xy"], found["fom"]) if fom >= found["auto"]])
    assert found["micrographs"] == 2 and found["file"].endswith("b.mrc") and len(theirs) > 15
    order = [np.lexsort(one.T) for one in (ours, theirs.xy)]
    np.testing.assert_allclose(ours[order[0]], theirs.xy[order[1]], atol=0.06)
    begun = time.process_time()
    again = ask(here, "picks", "pick log", given | {"threshold": "0.9", "border": "30"}, row=1, fit=True)
    assert time.process_time() - begun < 0.5, "maps are kept"
    assert again["auto"] == found["auto"] and len(again["xy"]) < len(found["xy"]), "a border leaves picks out, a threshold is applied by the page"


def test_templates_tell_their_diameter_and_small_ones_are_explained(here: Project) -> None:
    given = {"micrographs": MICROGRAPHS, "references": "MotionCorr/job001/templates.mrcs", "psi_step": 20}
    found = ask(here, "picks", "pick template", given, fit=True)
    assert 120 < found["largest"] < 200 and sum(fom >= found["auto"] for fom in found["fom"]) > 15
    with pytest.raises(InputError, match="cannot be seen at --lowpass"):
        ask(here, "picks", "pick log", {"micrographs": MICROGRAPHS, "min_diameter": 20, "max_diameter": 30})
    assert in_words("pick log", "--min-diameter 20 Å cannot be seen at --lowpass 20 Å") == "Min diameter 20 Å cannot be seen at Low-pass 20 Å"
    with pytest.raises(InputError, match="micrograph 3 of 2"):
        ask(here, "picks", "pick log", {"micrographs": MICROGRAPHS}, row=2)


@pytest.mark.parametrize("threshold", ["auto", "0.02"])
def test_the_mask_is_that_of_the_job(here: Project, threshold: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = ask(here, "mask", "mask", {"map": MAP, "lowpass": "20", "threshold": threshold, "extend": 2}, at=(0.5, 0.25, 0.75), fit=True)
    made = make_mask(read_map(here.root / MAP), 20.0, "auto" if threshold == "auto" else 0.02, 2, 6)
    assert found["threshold"] == pytest.approx(made.threshold) and found["volume"] == pytest.approx(made.volume)
    assert found["at"] == [24, 12, 36] and found["voxels"] == round(made.volume / 4.0**3)
    seen = [np.frombuffer(base64.b64decode(one), dtype=np.uint8).reshape(48, 48) for one in found["mask"]]
    for ours, theirs in zip(seen, (made.mask.data[36], made.mask.data[:, 12], made.mask.data[:, :, 24])):
        np.testing.assert_allclose(ours, 255 * theirs, atol=0.51)
    monkeypatch.setattr(mask, "MOST", 24)
    mask._density.cache_clear()
    thinned = ask(here, "mask", "mask", {"map": MAP, "lowpass": "20", "threshold": threshold}, fit=True)
    mask._density.cache_clear()
    assert thinned["step"] == 2 and thinned["side"] == 24 and thinned["volume"] == pytest.approx(made.volume, rel=0.1)


def test_the_spectrum_is_fitted_as_by_the_job(here: Project) -> None:
    found = ask(here, "ctf", "ctf", {"micrographs": RINGS}, fit=True)
    assert found["fit"]["defocus"] == pytest.approx(DEFOCUS, abs=150) and not found["fit"]["fault"]
    assert found["told"] == "the micrographs" and "200 kV" in found["optics"]
    assert len(found["curves"][0]) > len(found["curves"][1]), "rings too narrow to be drawn are left out"
    assert min(found["curves"][0]) >= 0 and max(found["curves"][0]) <= 1
    other = ask(here, "ctf", "ctf", {"micrographs": RINGS, "min_defocus": 20000, "max_defocus": 30000}, fit=True)
    assert other["fit"]["fault"] or other["fit"]["defocus"] > 19000, "what lies outside of the range is not found"
    with pytest.raises(InputError, match="is no range"):
        ask(here, "ctf", "ctf", {"micrographs": RINGS, "min_defocus": 60000})


def test_what_is_asked_is_checked(project: Project) -> None:
    assert refused(project, "mask", "mask", {}) == (422, "Choose Map on the form first: that is what is looked at.")
    assert refused(project, "mask", "ctf", {"micrographs": RINGS})[0] == 422
    assert refused(project, "mask", "no job", {})[0] == 422
    assert refused(project, "mask", "mask", {"map": MAP, "os": "x"}) == (422, "There is no parameter os.")
    for name, status in (("../p/" + MAP, 403), ("/etc/passwd", 403), ("nothing.mrc", 404), ("Import", 404), ("@job099", 422)):
        assert refused(project, "mask", "mask", {"map": name})[0] == status, name
    assert checked(project, project.pipeline, Asked(wizard="mask", job="mask", params={"map": "@job004"})).params["map"] == MAP


def test_what_is_still_to_be_made_is_said_plainly(project: Project) -> None:
    pipeline = Pipeline(3, (Process("Extract/job002", "relion.extract", "Running"),), (Node("Extract/job002/x", "y"),), (), ())
    with pytest.raises(HTTPException) as error:
        checked(project, pipeline, Asked(wizard="diameter", job="class2d", params={"particles": "@Extract/job002"}))
    assert "Particles is still to be made by Extract/job002, which runs" in str(error.value.detail) and "draft" in str(error.value.detail)


def test_only_the_last_few_are_kept() -> None:
    made: list[int] = []
    kept: Recent[int] = Recent(2)
    for key in (1, 2, 1, 3, 1, 2):
        assert kept.get(key, lambda key=key: made.append(key) or key) == key
    assert made == [1, 2, 3, 2]


ECHO = "import sys\nfor line in sys.stdin: print('{\"found\": {\"pid\": ' + str(__import__('os').getpid()) + '}}', flush=True)"
SLEEPS = "import sys, time\nfor line in sys.stdin: time.sleep(60)"


@pytest.fixture
def lookers(monkeypatch: pytest.MonkeyPatch) -> Any:
    """make(script, limit) -> a pool whose processes run it."""
    pools: list[pool.Pool] = []

    def make(script: str, limit: float = 30.0) -> pool.Pool:
        monkeypatch.setattr(pool, "COMMAND", (sys.executable, "-c", script))
        pools.append(pool.Pool(2, limit))
        return pools[-1]

    yield make
    for one in pools:
        one.end()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_process_is_kept_for_the_next_look(lookers: Any) -> None:
    here = lookers(ECHO)
    ask = lambda root: here.ask(root, {"wizard": "mask"}, threading.Event())["pid"]  # noqa: E731
    first = ask("/a")
    assert ask("/a") == first and ask("/b") != first and ask("/a") == first
    os.kill(first, 9)
    assert ask("/a") not in (first, None), "one that has ended is replaced"


def test_a_look_can_be_given_up_and_has_an_end(lookers: Any) -> None:
    left = threading.Event()
    here = lookers(SLEEPS)
    threading.Timer(0.3, left.set).start()
    begun = time.monotonic()
    with pytest.raises(pool.Left):
        here.ask("/a", {"wizard": "picks"}, left)
    assert time.monotonic() - begun < 5 and not here._free and not here._busy
    with pytest.raises(HTTPException, match="given up after 0 s"):
        lookers(SLEEPS, 0.2).ask("/a", {"wizard": "picks"}, threading.Event())
    with pytest.raises(HTTPException, match="its process has ended"):
        lookers("raise SystemExit").ask("/a", {"wizard": "picks"}, threading.Event())
    for _ in range(pool.WAITING):
        here.enter()
    with pytest.raises(HTTPException, match="Too many"):
        here.enter()


def test_the_route_refuses_what_does_not_fit(served: tuple[Any, Path]) -> None:
    server, _ = served
    good = {"wizard": "mask", "job": "mask", "params": {"map": "Import/job001/movies.star"}}

    def status(body: Any, **headers: str) -> int:
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Origin": server.origin, "Content-Type": "application/json", "Content-Length": str(len(text)), "Cookie": server.cookie} | headers
        return int(server.ask(f"{server.base}/data/look", "POST", text, **sent).status)

    assert status(good, Origin="http://evil.example") == 403 and status(good, Cookie="") == 401
    assert status(b"{") == 422 and status([]) == 422 and status({}) == 422
    for name, value in (("wizard", "../x"), ("wizard", "__main__"), ("job", "x" * 50), ("params", {"map": {"a": 1}}),
                        ("params", {"map": "x" * 2000}), ("row", -1), ("row", 10**12), ("at", [0, 0, 2]), ("at", [0]), ("fit", "perhaps"),
                        ("more", 1)):
        assert status(good | {name: value}) == 422, (name, value)
    for name, wanted in (("../elsewhere/secret.txt", 403), ("/etc/passwd", 403), ("Import/job001/linked.txt", 403), ("loop", 404), ("none.mrc", 404)):
        assert status(good | {"params": {"map": name}}) == wanted, name
    assert status(good) == 422, "a table is no map"
