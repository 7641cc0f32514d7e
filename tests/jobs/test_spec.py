"""Params are the single source: bounds, units, defaults and RELION's names."""

from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verglas.errors import InputError
from verglas.jobs.common import parse
from verglas.jobs.job_star import relion_options
from verglas.jobs.registry import ENTRIES, find
from verglas.jobs.spec import JobParams, input_files, option, options


class Sample(JobParams):
    """One of each kind."""

    particles: Path = option(help="Particles.", relion="fn_img")
    diameter: float = option(200.0, help="Diameter.", unit="Å", gt=0, le=1000, relion="particle_diameter")
    bfactor: float | Literal["auto"] = option("auto", help="B.", unit="Å²", le=0)
    order: int = option(2, help="Order.", ge=0, le=7)
    correct: bool = option(False, help="Correct.", relion="do_correct")
    mode: str = option("a", help="Mode.", choices=("a", "b"))
    mask: Path | None = option(None, help="Mask.")


def test_options_carry_unit_default_and_range() -> None:
    diameter = next(one for one in options(Sample) if one.name == "diameter")
    assert (diameter.flag, diameter.unit, diameter.default) == ("--diameter", "Å", 200.0)
    assert diameter.bounds == "> 0, <= 1000"
    assert [one.required for one in options(Sample)] == [True] + [False] * 6


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_a_number_is_accepted_exactly_within_its_bounds(value: float) -> None:
    inside = 0 < value <= 1000
    try:
        Sample(particles=Path("x"), diameter=value)
    except ValueError:
        assert not inside
    else:
        assert inside


def test_text_becomes_numbers_as_the_command_line_needs() -> None:
    params = parse(Sample, {"particles": "p.star", "diameter": "150", "bfactor": "-80.5", "order": "3"})
    assert (params.diameter, params.bfactor, params.order) == (150.0, -80.5, 3)
    assert parse(Sample, {"particles": "p.star", "bfactor": "auto"}).bfactor == "auto"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, ["--particles is required"]),
        ({"particles": "x", "diameter": "-1"}, ["--diameter -1: must be > 0, <= 1000 Å"]),
        ({"particles": "x", "diameter": "wide"}, ["--diameter wide: must be a number"]),
        ({"particles": "x", "bfactor": "much"}, ["--bfactor much: must be a number or auto"]),
        ({"particles": "x", "order": "2.5"}, ["--order 2.5: must be a whole number"]),
        ({"particles": "x", "mode": "c"}, ["--mode c: must be one of a, b"]),
        ({"particles": "x", "diameter": "0", "order": "9"}, ["--diameter 0", "--order 9"]),
        ({"particles": "x", "diametre": "1"}, ["diametre"]),
    ],
)
def test_every_wrong_value_is_explained_on_its_own_line(values: dict[str, str], words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        parse(Sample, values)
    lines = error.value.found.splitlines()
    assert len(lines) == len(words)
    assert all(word in line for word, line in zip(words, lines))


def test_params_are_frozen() -> None:
    with pytest.raises(ValueError):
        Sample(particles=Path("x")).order = 3  # type: ignore[misc]


def test_set_paths_are_inputs() -> None:
    assert input_files(Sample(particles=Path("p.star"))) == (("--particles", Path("p.star")),)
    assert len(input_files(Sample(particles=Path("p.star"), mask=Path("m.mrc")))) == 2


def test_job_star_names() -> None:
    rows = relion_options(Sample(particles=Path("p.star"), correct=True))
    assert rows["fn_img"] == "p.star"
    assert rows["particle_diameter"] == "200"
    assert rows["do_correct"] == "Yes"
    assert rows["verglas_mask"] == ""


def test_schema_holds_bounds_and_choices() -> None:
    properties = Sample.model_json_schema()["properties"]
    assert properties["diameter"]["exclusiveMinimum"] == 0
    assert properties["diameter"]["unit"] == "Å"
    assert properties["mode"]["enum"] == ["a", "b"]


@pytest.mark.parametrize("name", ENTRIES)
def test_every_registered_job_is_what_its_entry_says(name: str) -> None:
    job = find(name)
    assert job.name == name
    assert job.summary == ENTRIES[name].summary
    assert all(one.help and one.help[0].isupper() for one in options(job.params))


@pytest.mark.parametrize("name", ENTRIES)
def test_defaults_of_every_job_are_allowed(name: str) -> None:
    for one in options(find(name).params):
        assert one.required or not one.complaint(one.default), one.flag
