"""What a job is: its parameters with units, defaults and bounds, its door checks with a forecast, and its run.

Params are the single source of the command line, the JSON schema and RELION's job.star. A job module imports torch and
numba only inside `check` and `run`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from verglas.jobs.context import Context, Stopped
from verglas.runtime.resources import Resources

__all__ = [
    "Context", "Job", "JobParams", "Option", "Plan", "PlanLine", "Resources", "Stopped", "input_files", "option",
    "options",
]

REQUIRED: Any = ...


class JobParams(BaseModel):
    """Base of all job parameters: frozen, unknown names refused, `choices` enforced. Fields are made by `option`."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=False)

    @model_validator(mode="after")
    def _choices(self) -> "JobParams":
        for one in options(type(self)):
            value = getattr(self, one.name)
            if one.choices and value is not None and value not in one.choices:
                raise ValueError(f"{one.flag}: {value!r} is not one of {', '.join(map(str, one.choices))}")
        return self


def option(
    default: Any = REQUIRED, *, help: str, unit: str = "", relion: str = "", choices: tuple[object, ...] = (),
    level: Literal["normal", "advanced"] = "normal", **bounds: float,
) -> Any:
    """One parameter. `default` left out: required. `bounds`: ge, gt, le, lt. `relion`: its key in RELION's job.star."""
    unknown = set(bounds) - {"ge", "gt", "le", "lt"}
    if unknown:
        raise TypeError(f"option() has no bound {sorted(unknown)}")
    extra: dict[str, Any] = {"unit": unit, "level": level, "relion": relion, "choices": list(choices)}
    return Field(default, description=help, json_schema_extra=extra, **bounds)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Option:
    """One parameter as the edges see it (command line, forms, job.star)."""

    name: str
    annotation: Any
    default: Any
    required: bool
    help: str
    unit: str
    low: tuple[str, float] | None
    high: tuple[str, float] | None
    choices: tuple[object, ...]
    level: str
    relion: str

    @property
    def flag(self) -> str:
        """--kebab-case."""
        return "--" + self.name.replace("_", "-")

    @property
    def bounds(self) -> str:
        """The allowed range in words, e.g. '> 0, <= 90'; empty when free."""
        signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
        return ", ".join(f"{signs[kind]} {value:g}" for kind, value in filter(None, (self.low, self.high)))


def options(params: type[JobParams]) -> tuple[Option, ...]:
    """The options of a job in the order they were declared."""
    return tuple(_read(name, info) for name, info in params.model_fields.items())


def _read(name: str, info: FieldInfo) -> Option:
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    limits = {kind: getattr(m, kind) for m in info.metadata for kind in ("ge", "gt", "le", "lt") if hasattr(m, kind)}
    low = next(((k, float(limits[k])) for k in ("ge", "gt") if k in limits), None)
    high = next(((k, float(limits[k])) for k in ("le", "lt") if k in limits), None)
    choices = extra.get("choices") or []
    return Option(
        name=name, annotation=info.annotation, default=None if info.default is PydanticUndefined else info.default,
        required=info.is_required(), help=info.description or "", unit=str(extra.get("unit", "")), low=low, high=high,
        choices=tuple(choices) if isinstance(choices, list) else (), level=str(extra.get("level", "normal")),
        relion=str(extra.get("relion", "")),
    )


def input_files(params: JobParams) -> tuple[tuple[str, Path], ...]:
    """(option flag, path) of every Path parameter that is set: all of them are inputs, results go to the job folder."""
    found = ((one.flag, getattr(params, one.name)) for one in options(type(params)))
    return tuple((flag, value) for flag, value in found if isinstance(value, Path))


@dataclass(frozen=True)
class PlanLine:
    """One line of the forecast: `name` ("memory", "time per iteration"), `value` with its unit, `why` it is so."""

    name: str
    value: str
    why: str = ""


@dataclass(frozen=True)
class Plan:
    """What a checked job is going to do and need."""

    lines: tuple[PlanLine, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """A job: `name` of the command ("refine3d", "map info"), `folder` of the project ("Refine3D"), two functions.

    `check` reads headers and tables, raises InputError/DataError on bad input, returns the forecast, writes nothing.
    `run` writes into `context.output` and raises `Stopped` (`context.stop_if_asked()`) when asked to stop early.
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
