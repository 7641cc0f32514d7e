"""What a job is: its parameters with units, defaults and bounds, its door checks with a forecast, and its run.

Params are the single source of the command line, the JSON schema and RELION's job.star. A job module imports torch and
numba only inside `check` and `run`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from verglas.jobs.context import Context, Stopped
from verglas.runtime.resources import Resources

__all__ = [
    "Context", "Files", "Job", "JobParams", "Option", "Plan", "PlanLine", "Resources", "Stopped", "input_files", "option",
    "options",
]

REQUIRED: Any = ...


class JobParams(BaseModel):
    """Base of all job parameters: frozen, unknown names refused, bounds and choices enforced. Fields: `option`."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @model_validator(mode="after")
    def _within_bounds(self) -> "JobParams":
        wrong = [one.complaint(getattr(self, one.name)) for one in options(type(self))]
        if any(wrong):
            raise ValueError("\n".join(filter(None, wrong)))
        return self


Files = Annotated[tuple[Path, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str | Path) else value)]
"""One path or several."""
KINDS = {int: "a whole number", float: "a number", str: "text", bool: "yes or no", Path: "a path"}
PLACEHOLDERS = {Path: "FILE", float: "NUMBER", int: "INTEGER"}
SIGNS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
BOUNDS = dict(zip(("ge", "gt", "le", "lt"), SIGNS))


def option(
    default: Any = REQUIRED, *, help: str, unit: str = "", relion: str = "", choices: tuple[object, ...] = (),
    level: Literal["normal", "advanced"] = "normal", **bounds: float,
) -> Any:
    """One parameter. `default` left out: required. `bounds`: ge, gt, le, lt. `relion`: its key in RELION's job.star.

    Bounds are checked by JobParams and not by pydantic, so that they also fit unions such as float | Literal["auto"].
    """
    extra: dict[str, Any] = {"unit": unit, "level": level, "relion": relion}
    extra |= {BOUNDS[kind]: float(value) for kind, value in bounds.items()}
    if choices:
        extra["enum"] = list(choices)
    return Field(default, description=help, json_schema_extra=extra)


@dataclass(frozen=True)
class Option:
    """One parameter as the edges see it (command line, forms, job.star)."""

    name: str
    annotation: Any
    default: Any
    required: bool
    help: str
    unit: str
    limits: tuple[tuple[str, float], ...]
    choices: tuple[object, ...]
    level: str
    relion: str

    @property
    def flag(self) -> str:
        """--kebab-case."""
        return "--" + self.name.rstrip("_").replace("_", "-")

    @property
    def kind(self) -> str:
        """What a value must look like: 'a whole number', 'a number or auto', ..."""
        if self.several:
            return "one path or more"
        members = [one for one in get_args(self.annotation) or (self.annotation,) if one is not type(None)]
        return " or ".join(KINDS.get(one) or ", ".join(map(str, get_args(one))) for one in members)

    @property
    def several(self) -> bool:
        """Whether it takes one path or more."""
        return get_origin(self.annotation) is tuple

    @property
    def placeholder(self) -> str:
        """What stands for the value in the usage line: FILE, NUMBER, INTEGER or TEXT."""
        if self.several:
            return "FILE [FILE ...]"
        members = get_args(self.annotation) or (self.annotation,)
        return next((word for one, word in PLACEHOLDERS.items() if one in members), "TEXT")

    @property
    def bounds(self) -> str:
        """The allowed range in words, e.g. '> 0, <= 90'; empty when free."""
        return ", ".join(f"{SIGNS[kind]} {short(value)}" for kind, value in self.limits)

    def complaint(self, value: Any) -> str:
        """Why `value` is not allowed, empty when it is."""
        if self.choices and value is not None and value not in self.choices:
            return f"{self.flag} {value}: must be one of {', '.join(map(str, self.choices))}"
        if isinstance(value, int | float) and not all(_holds(value, *limit) for limit in self.limits):
            return f"{self.flag} {short(value)}: must be {self.bounds} {self.unit}".rstrip()
        return ""


def short(value: float) -> str:
    """A number as one would write it: whole numbers in full, others with six digits."""
    return str(int(value)) if float(value).is_integer() else f"{value:g}"


def _holds(value: float, kind: str, limit: float) -> bool:
    match SIGNS[kind]:
        case ">=":
            return value >= limit
        case ">":
            return value > limit
        case "<=":
            return value <= limit
        case _:
            return value < limit


def options(params: type[JobParams]) -> tuple[Option, ...]:
    """The options of a job in the order they were declared."""
    return tuple(_read(name, info) for name, info in params.model_fields.items())


def _read(name: str, info: FieldInfo) -> Option:
    extra: dict[str, Any] = dict(info.json_schema_extra) if isinstance(info.json_schema_extra, dict) else {}
    return Option(
        name=name, annotation=info.annotation, default=None if info.default is PydanticUndefined else info.default,
        required=info.is_required(), help=info.description or "", unit=extra.get("unit", ""),
        limits=tuple((kind, extra[kind]) for kind in SIGNS if kind in extra), choices=tuple(extra.get("enum", ())),
        level=extra.get("level", "normal"), relion=extra.get("relion", ""),
    )


def input_files(params: JobParams) -> tuple[tuple[str, Path], ...]:
    """(option flag, path) of every Path parameter that is set: all of them are inputs, results go to the job folder."""
    found = ((one.flag, getattr(params, one.name)) for one in options(type(params)))
    several = ((flag, path) for flag, value in found for path in (value if isinstance(value, tuple) else (value,)))
    return tuple((flag, path) for flag, path in several if isinstance(path, Path))


@dataclass(frozen=True)
class PlanLine:
    """One line of the forecast: `name` ("memory", "time per iteration"), `value` with its unit, `why` it is so."""

    name: str
    value: str
    why: str = ""


@dataclass(frozen=True)
class Plan:
    """What a checked job is going to do and need; `inputs`: files found through the parameters (image stacks).

    found: what was read for it, so that the run (Context.found) need not read it again.
    """

    lines: tuple[PlanLine, ...] = ()
    warnings: tuple[str, ...] = ()
    inputs: tuple[Path, ...] = ()
    found: object = None


@dataclass(frozen=True)
class Job:
    """A job: `name` of the command ("refine3d", "map info"), `folder` of the project ("Refine3D"), two functions.

    `check` reads headers and tables, raises InputError/DataError on bad input, returns the forecast, writes nothing.
    `run` writes into `context.output` and raises `Stopped` (`context.stop_if_asked()`) when asked to stop early.
    `adopt`: parameters from a folder that RELION made, so that the job can continue it.
    `parallel`: several processes can share its work (torchrun).
    `light`: it is over in seconds on one core, so that it begins at once, beside whatever runs.
    `relion` is RELION's job type label ("relion.refine3d"), "" where RELION has none.
    """

    name: str
    folder: str
    summary: str
    params: type[JobParams]
    check: Callable[[Any, Context], Plan]
    run: Callable[[Any, Context], None]
    relion: str = ""
    can_continue: bool = False
    parallel: bool = False
    light: bool = False
    adopt: Callable[[Path], dict[str, Any]] | None = None


def deferred(module: str, name: str) -> Callable[[Any, Context], Any]:
    """The function `name` of verglas.jobs.<module>, which is imported when it is called: looking at options must not load what runs them."""

    def call(params: Any, context: Context) -> Any:
        return getattr(import_module(f"verglas.jobs.{module}"), name)(params, context)

    return call
