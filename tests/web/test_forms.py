"""Forms come from the parameters of every job; what is wrong is said beside the field."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from verglas.api import new_project
from verglas.api.project import Project
from verglas.jobs.registry import ENTRIES, find
from verglas.jobs.spec import options
from verglas.project.words import is_file
from verglas.types.pipeline import Node
from verglas.web.inputs import choices, complaint, fits, offers, uses, value_of
from verglas.web.stages import TITLES, tree


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return new_project(tmp_path / "p")


def option_of(job: str, name: str) -> Any:
    return next(one for one in options(find(job).params) if one.name == name)


def test_every_type_of_job_stands_in_one_stage_with_a_title() -> None:
    listed = [one for jobs in tree().values() for one in jobs]
    assert sorted(listed) == sorted(ENTRIES) and len(set(listed)) == len(listed)
    assert set(TITLES) <= set(ENTRIES)
    assert len(set(TITLES.values())) == len(TITLES)


@pytest.mark.parametrize("job", ENTRIES)
def test_defaults_are_right_and_each_field_knows_nonsense(project: Project, job: str) -> None:
    for one in options(find(job).params):
        assert one.help, one.name
        if not one.required and not is_file(one):
            text = one.default if isinstance(one.default, bool) or one.default is None else str(one.default)
            assert complaint(project, one, text) == "", (one.name, text)
        if one.required:
            assert complaint(project, one, "") == "This is needed."
        if one.limits and not one.choices:
            assert complaint(project, one, "-1e30") or complaint(project, one, "1e30"), one.name
        for value in choices(one):
            assert complaint(project, one, str(value)) == "", (one.name, value)
        if is_file(one) and one.name not in ("stacks", "maps"):
            assert "no file nothing/there.star" in complaint(project, one, "nothing/there.star"), one.name


def test_words_of_a_complaint(project: Project) -> None:
    lowpass, noise, half = option_of("mask", "lowpass"), option_of("simulate particles", "noise"), option_of("select", "half")
    assert complaint(project, lowpass, "abc") == "abc: must be a number."
    assert complaint(project, lowpass, "600") == "600: must be >= 0, <= 500 Å."
    assert complaint(project, noise, "pink") == "pink: must be one of white, coloured, none."
    assert complaint(project, half, "3") and not complaint(project, half, "2") and not complaint(project, half, "")
    assert complaint(project, option_of("pick template", "fom"), "other") == "other: must be matched, ratio."


def test_values_of_fields() -> None:
    assert value_of(option_of("mask", "lowpass"), " 12 ") == "12" and value_of(option_of("mask", "lowpass"), " ") is None
    assert value_of(option_of("import movies", "movies"), "a.tif, b/*.tif,") == ["a.tif", "b/*.tif"]


def test_files_that_fit_are_offered_and_halves_to_their_own_field(tmp_path: Path) -> None:
    from verglas.io.pipeline_star import write_pipeline
    from verglas.types.pipeline import Pipeline, Process

    project = new_project(tmp_path / "q")
    nodes = tuple(Node(f"Refine3D/job001/{name}", label) for name, label in (
        ("run_class001.mrc", "DensityMap.mrc.relion.refine3d"), ("run_half1_class001_unfil.mrc", "DensityMap.mrc.relion.halfmap.refine3d"),
        ("run_half2_class001_unfil.mrc", "DensityMap.mrc.relion.halfmap.refine3d"), ("run_data.star", "ParticleGroupMetadata.star.relion.refine3d")))
    folder = project.root / "Refine3D/job001"
    folder.mkdir(parents=True)
    (folder / "RELION_JOB_EXIT_SUCCESS").touch()
    for one in nodes:
        (project.root / one.name).touch()
    write_pipeline(project.root / "default_pipeline.star", Pipeline(
        2, (Process("Refine3D/job001", "relion.refine3d", "Succeeded"),), nodes, (), tuple(("Refine3D/job001", one.name) for one in nodes)))
    waiting = project.run("mask", map="@Refine3D/job001")
    assert [one.value for one in offers(project, "half1")] == [nodes[1].name]
    assert [one.value for one in offers(project, "map")] == [nodes[0].name]
    assert [one.value for one in offers(project, "mask")] == [f"@{waiting.name}"], "what a job that waits will hand on"
    assert not offers(project, "movies")
    takers = dict(uses(nodes[3]))
    assert takers["class2d"] == "particles" and takers["refine3d"] == "particles" and "mask" not in takers
    assert dict(uses(nodes[0]))["refine3d"] == "reference" and "postprocess" not in dict(uses(nodes[0]))
    assert fits("half2", nodes[2]) and not fits("half2", nodes[1]) and not fits("map", nodes[1])


def on_a_page(monkeypatch: pytest.MonkeyPatch, use: Callable[[Any], None]) -> None:
    """Call `use(client)` where elements can be made."""
    import asyncio

    from nicegui import Client, core
    from nicegui.page import page

    async def build() -> None:
        monkeypatch.setattr(core, "loop", asyncio.get_running_loop())
        client = Client(page("/form"), request=None)
        with client:
            use(client)
        client.delete()

    asyncio.run(build())


@pytest.mark.parametrize("job", ["extract", "refine3d", "simulate particles"])
def test_a_form_is_light_and_advanced_fields_come_when_they_are_wanted(project: Project, job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each element costs the browser milliseconds."""
    from verglas.errors import InputError
    from verglas.web.pages.form import Form

    def use(client: Any) -> None:
        form = Form(project, job, {})
        later = [one.name for one in form.later]
        assert later and not set(later) & set(form.fields)
        assert len(client.elements) < 7 * len(form.fields) and len(client.elements) < 120
        form.show(InputError(f"{form.later[0].flag}: must be smaller"))
        assert not form.later and form.fields[later[0]].trouble is not None
        assert len(form.fields) == len(options(find(job).params))
        assert later[0] in Form(project, job, {later[0]: "3"}).fields, "what was given is shown"

    on_a_page(monkeypatch, use)


def test_the_only_file_that_fits_is_chosen_but_never_for_an_import(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from verglas.io.pipeline_star import write_pipeline
    from verglas.types.pipeline import Pipeline, Process
    from verglas.web.pages.form import Form

    name, movies = "Import/job001", "Import/job001/movies.star"
    (project.root / name).mkdir(parents=True)
    for file in ("RELION_JOB_EXIT_SUCCESS", "movies.star"):
        (project.root / name / file).touch()
    write_pipeline(project.root / "default_pipeline.star", Pipeline(2, (Process(name, "relion.import.movies", "Succeeded"),), (
        Node(movies, "MicrographMovieGroupMetadata.star.relion"),), (), ((name, movies),)))

    def use(client: Any) -> None:
        assert Form(project, "motioncorr", {}).fields["movies"].control.value == movies
        assert not Form(project, "import movies", {}).fields["movies"].control.value

    on_a_page(monkeypatch, use)
