"""The picking jobs from files to files."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from verglas.errors import InputError
from verglas.io.coordinates import read_coordinates
from verglas.io.mrc import StackWriter, read_volume
from verglas.io.star import Table, read_star, write_star
from verglas.jobs import pick_log, pick_manual, pick_template
from verglas.jobs.spec import Context
from verglas.testing.data import relion_program

sys.path.insert(0, str(Path(__file__).parents[1] / "methods" / "picking"))
from picking_fields import PIXEL, micrograph, molecule, places, score

SIZE = (500, 520)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> tuple[Path, np.ndarray]:
    folder = tmp_path_factory.mktemp("project")
    xy = places(SIZE, 25, 60.0, 4, 20.0)
    image, _ = micrograph(SIZE, xy, 1.2, 5)
    for name in ("a.mrc", "b.mrc"):
        with StackWriter(folder / name, PIXEL) as stack:
            stack.append(image[None])
    with StackWriter(folder / "templates.mrcs", PIXEL) as stack:
        stack.append(molecule()[None])
    text = lambda *values: np.array(values, dtype=object)  # noqa: E731
    write_star(folder / "micrographs.star", {
        "optics": Table({"rlnOpticsGroupName": text("one"), "rlnOpticsGroup": np.array([1]), "rlnMicrographPixelSize": np.array([PIXEL]),
                         "rlnVoltage": np.array([300.0]), "rlnSphericalAberration": np.array([2.7]), "rlnAmplitudeContrast": np.array([0.1])}),
        "micrographs": Table({"rlnMicrographName": text("a.mrc", "b.mrc"), "rlnOpticsGroup": np.array([1, 1])}),
    })
    return folder, xy


def context(folder: Path, name: str) -> Context:
    (folder / name).mkdir()
    return Context(folder / name, folder)


def test_log_picks_maps_and_thresholds_again(project):
    folder, xy = project
    chosen = pick_log.PickLogParams(micrographs=folder / "micrographs.star", min_diameter=110, max_diameter=160, keep_maps=True)
    where = context(folder, "log")
    pick_log.check(chosen, where)
    pick_log.run(chosen, where)
    found = read_coordinates(folder / "log" / "autopick.star", folder)
    assert list(found) == ["a.mrc", "b.mrc"]
    recall, false, _ = score(found["a.mrc"].xy, xy, 20.0)
    assert recall >= 0.95 and false <= 0.05
    again = chosen.model_copy(update={"maps": folder / "log", "keep_maps": False})
    clock = time.process_time()
    pick_log.run(again, context(folder, "again"))
    assert time.process_time() - clock < 2.0  # two micrographs
    np.testing.assert_array_equal(read_coordinates(folder / "again" / "autopick.star", folder)["b.mrc"].xy, found["b.mrc"].xy)
    pick_log.run(again.model_copy(update={"threshold": 50.0}), context(folder, "none"))
    assert len(read_coordinates(folder / "none" / "autopick.star", folder)["a.mrc"]) == 0


def test_what_has_a_row_is_not_picked_again_and_workers_change_nothing(project):
    folder, _ = project
    chosen = pick_log.PickLogParams(micrographs=folder / "micrographs.star", min_diameter=110, max_diameter=160)
    where = context(folder, "killed")
    pick_log.run(chosen, where)
    stars = [where.output / f"{name}_autopick.star" for name in "ab"]
    whole = [one.read_bytes() for one in stars]
    rows = (where.output / "rows.jsonl").read_text().splitlines()
    (where.output / "rows.jsonl").write_text(rows[0] + "\n" + rows[1][: len(rows[1]) // 2])
    done = json.loads(rows[0])["key"]
    kept = stars["ab".index(done[0])]
    untouched = kept.read_bytes()
    kept.write_text("not touched")
    pick_log.run(chosen, Context(where.output, folder, continuing=True))
    assert kept.read_text() == "not touched"
    other = stars["ba".index(done[0])]
    assert other.read_bytes() == whole["ba".index(done[0])]
    kept.write_bytes(untouched)
    two = context(folder, "two")
    pick_log.run(chosen.model_copy(update={"workers": "2"}), two)
    for one in stars:  # a worker has another number of threads, and sums another order
        mine, theirs = (read_star(folder_ / one.name)[""].columns for folder_ in (two.output, where.output))
        assert mine["rlnCoordinateX"].size > 0 and all(np.allclose(mine[name], theirs[name], rtol=1e-4, atol=1e-2) for name in theirs)


@pytest.mark.slow
def test_relion_extracts_from_our_picks(project):
    program = relion_program("relion_preprocess")
    folder, _ = project
    where = context(folder, "forrelion")
    pick_log.run(pick_log.PickLogParams(micrographs=folder / "micrographs.star", min_diameter=110, max_diameter=160), where)
    places = ["--coord_suffix", "_autopick.star", "--coord_dir", "forrelion/", "--part_star", "rel.star", "--part_dir", "Rel/"]
    subprocess.run([program, "--i", "micrographs.star", *places, "--extract", "--extract_size", "64"], cwd=folder, check=True, capture_output=True)
    image = read_volume(folder / "a.mrc")[0][0]
    stack = read_volume(folder / "Rel" / "a.mrcs")[0]
    xy = read_coordinates(where.output / "autopick.star", folder)["a.mrc"].xy
    assert len(stack) == len(xy) > 20
    for (x, y), window in zip(np.trunc(xy).astype(int), stack):
        if 32 <= x < SIZE[1] - 32 and 32 <= y < SIZE[0] - 32:
            np.testing.assert_allclose(window, image[y - 32 : y + 32, x - 32 : x + 32], rtol=1e-5)


@pytest.mark.parametrize("fom", ["matched", "ratio"])
def test_templates_see_their_own_diameter(project, fom):
    folder, xy = project
    chosen = pick_template.PickTemplateParams(micrographs=folder / "micrographs.star", references=folder / "templates.mrcs", psi_step=15, fom=fom)
    where = context(folder, f"template-{fom}")
    assert any(line.name == "diameter" and 100 < float(line.value.split()[0]) < 190 for line in pick_template.check(chosen, where).lines)
    pick_template.run(chosen, where)
    found = read_coordinates(where.output / "autopick.star", folder)["a.mrc"]
    recall, false, error = score(found.xy, xy, 20.0)
    assert recall >= 0.95 and false <= 0.08 and error < 2 and (found.class_number == 1).all()


def test_manual_merges_pickers_by_name(project):
    folder, _ = project
    (folder / "a.box").write_text("10 20 100 100\n200 200 100 100\n")
    (folder / "topaz.txt").write_text("image_name\tx_coord\ty_coord\tscore\na\t61\t70\t1\nb\t5\t6\t2\nelsewhere\t1\t1\t1\n")
    chosen = pick_manual.PickManualParams(micrographs=folder / "micrographs.star", from_=(folder / "a.box", folder / "topaz.txt"), min_distance=30)
    where = context(folder, "manual")
    assert "elsewhere" in pick_manual.check(chosen, where).warnings[0]
    pick_manual.run(chosen, where)
    found = read_coordinates(where.output / "manualpick.star", folder)
    np.testing.assert_allclose(found["a.mrc"].xy, [[60, 70], [250, 250]])
    np.testing.assert_allclose(found["b.mrc"].xy, [[5, 6]])


@pytest.mark.parametrize(("given", "told"), [
    ({"min_diameter": 160, "max_diameter": 110}, "larger"), ({"min_diameter": 30, "max_diameter": 110}, "lowpass"),
    ({"min_diameter": 110, "max_diameter": 160, "maps": Path("nowhere")}, "rows.jsonl"),
])
def test_the_door_says_what_is_wrong(project, given, told):
    folder, _ = project
    with pytest.raises(InputError, match=told):
        pick_log.check(pick_log.PickLogParams(micrographs=folder / "micrographs.star", **given), Context(folder / "x", folder))
