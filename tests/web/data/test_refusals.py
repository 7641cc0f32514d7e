"""Wrong types, paths and sizes on every route: refused with 4xx, and nothing is written by looking."""

import pytest
from fastapi.routing import APIRoute

from verglas.types.pipeline import Node
from verglas.web.data import ROUTERS
from verglas.web.viewers import TITLES, VIEWERS, viewers_for, viewers_of

SOUND = {
    "/volume": {"file": "map.mrc"}, "/volume/slice": {"file": "map.mrc", "axis": 0, "index": 3, "low": -1, "high": 1},
    "/volume/difference": {"file": "map.mrc", "other": "other.mrc", "axis": 2, "index": 0, "width": 1},
    "/volume/surface": {"file": "map.mrc", "level": 1, "colour": "larger.mrc"}, "/volume/surface/levels": {"file": "map.mrc"},
    "/volume/chimerax": {"file": "map.mrc", "level": 1, "colour": "other.mrc", "low": 0, "high": 1, "packed": 1}, "/download": {"file": "map.mrc"},
    "/table": {"file": "particles.star"}, "/plots": {"file": "particles.star"}, "/plots/style": {},
    "/table/rows": {"file": "particles.star", "block": "particles", "where": "[]", "sort": "rlnCoordinateX", "down": 1, "start": 1, "count": 5},
    "/table/numbers": {"file": "particles.star", "block": "particles", "where": "[]", "sort": "rlnCoordinateX", "down": 1, "start": 1, "count": 5},
    "/table/scatter": {"file": "particles.star", "block": "particles", "x": "rlnCoordinateX", "y": "rlnCoordinateY", "where": "[]"},
    "/table/range": {"file": "particles.star", "block": "particles", "column": "rlnCoordinateX"},
    "/image": {"file": "mic.mrc"},
    "/image/picture": {"file": "mic.mrc", "image": 0, "x": 1, "y": 1, "width": 20, "height": 20, "side": 64,
                       "contrast": 3, "lowpass": 5, "highpass": 90},
    "/picks": {"file": "particles.star"}, "/picks/of": {"file": "particles.star", "micrograph": "mic.mrc"},
    "/particles/picture": {"file": "particles.star", "block": "particles", "where": "[]", "sort": "rlnCoordinateX", "down": 0, "start": 0, "count": 3,
                           "across": 2, "side": 32, "contrast": 2, "lowpass": 8},
    "/classes": {"file": "particles.star"}, "/classes/picture": {"file": "particles.star", "across": 5, "side": 64},
    "/micrograph": {"file": "particles.star", "kind": "ctf", "row": 0},
}
NASTY = ["", "x", "-1", "1e400", "nan", "inf", "-inf", "999999999999999999999999", "0.5", "../secret.mrcs", "/etc/passwd",
         "%2e%2e/secret.mrcs", "map.mrc/..", "text.mrc", "strange.star", "outside.star",
         "default_pipeline.star", "images.mrcs", "a" * 5000, "[[[[", "{}", "[1]",
         '[{"column": "rlnCoordinateX", "low": 1e999}]',
         "\x00", "<script>", "'; quit", "~", "."]
NEVER = ("../secret.mrcs", "/etc/passwd", "%2e%2e/secret.mrcs", "map.mrc/..", "a" * 5000, "\x00", "~", ".", "")


def test_every_route_is_tried() -> None:
    gets = {route.path for router in ROUTERS for route in router.routes if isinstance(route, APIRoute) and "GET" in route.methods}
    assert gets == set(SOUND)


@pytest.mark.parametrize("path", SOUND)
def test_nasty_values(small, path: str) -> None:
    before = {one: one.stat().st_mtime_ns for one in small.project.root.rglob("*")}
    sound = small.get(path, **SOUND[path])
    assert sound.status_code == 200 or path in ("/plots", "/classes", "/classes/picture", "/micrograph"), sound.text
    for name in SOUND[path]:
        for value in NASTY:
            answer = small.get(path, **(SOUND[path] | {name: value}))
            assert answer.status_code < 500, (name, value, answer.text)
            if name == "file":
                assert value not in NEVER or answer.status_code >= 400, (value, answer.text)
        missing = small.get(path, **{key: value for key, value in SOUND[path].items() if key != name})
        assert missing.status_code < 500
    assert {one: one.stat().st_mtime_ns for one in small.project.root.rglob("*")} == before


def test_another_key_is_unknown(small) -> None:
    assert small.http.get("/p/nothing/data/volume", params={"file": "map.mrc"}).status_code == 404


def test_files_have_viewers() -> None:
    assert set(VIEWERS) == set(TITLES)
    assert viewers_for("CtfFind/job005/micrographs_ctf.star")[0] == "ctf" and viewers_for("DensityMap.mrc.relion.refine3d") == ["volume"]
    assert viewers_for("Class2D/job010/run_it025_model.star")[0] == "classes" and viewers_for("a/b.txt") == []
    assert all(one in VIEWERS for name in ("a.star", "a.mrc", "x/particles.star", "OptimiserData.star.relion.class2d") for one in viewers_for(name))


def test_a_file_with_a_name_of_its_own_has_the_viewers_of_that_name() -> None:
    micrographs, picks = "MicrographGroupMetadata.star.relion", "MicrographCoordsGroup.star.relion"
    assert viewers_of(Node("CtfFind/job002/micrographs_ctf.star", f"{micrographs}.ctf"))[0] == "ctf"
    assert viewers_of(Node("MotionCorr/job001/corrected_micrographs.star", f"{micrographs}.motioncorr"))[0] == "motion"
    assert viewers_of(Node("Import/job003/anything.star", picks)) == ["micrographs", "table"]
    assert viewers_of(Node("Class2D/job005/run_it025_optimiser.star", "OptimiserData.star.relion.class2d"))[0] == "classes"
    assert viewers_of(Node("Refine3D/job005/run_optimiser.star", "OptimiserData.star.relion.refine3d"))[0] == "plots"
