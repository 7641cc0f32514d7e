"""Ask for a job: a folder with its number, job.star and the request. Nothing runs yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from verglas.cluster.queue import read_queue
from verglas.errors import InputError
from verglas.jobs.common import CommonParams, parse
from verglas.jobs.folder import reserve
from verglas.jobs.job_star import write_job_star
from verglas.jobs.registry import find
from verglas.project import slots
from verglas.project.facts import facts_of
from verglas.project.layout import find_name
from verglas.project.request import JobRequest, read_request, replace_request, same_wish, write_request
from verglas.project.state import standing
from verglas.project.submit import wish_of
from verglas.project.sync import snapshot, sync
from verglas.project.words import job_named, named_values, references

PLACES = ("output", "continue_", "dry_run")


@dataclass(frozen=True)
class How:
    """Where and when: `common` as --threads or --seed; `after` more jobs to wait for; `queue` of a cluster, with `wish` (cpus, gpus, time ...).

    `cpus` and `gpus` are slots of this machine; without `cpus` those of --threads, or all, or none for a light job.
    """

    common: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    cpus: int | None = None
    gpus: int | None = None
    queue: str = ""
    wish: Mapping[str, Any] = field(default_factory=dict)
    hold: bool = False


def ask(root: Path, job: str, params: Mapping[str, Any], how: How) -> str:
    """Check the parameters, take the next number, and leave the request there; the name of the job."""
    request = _request(root, job, params, how)
    folder = reserve(root, find(job).folder)
    name = f"{folder.parent.name}/{folder.name}"
    _leave(folder, request)
    sync(root)
    return name


def change_request(root: Path, name: str, params: Mapping[str, Any], how: How, was: JobRequest | None = None) -> None:
    """Other parameters for a job that has not begun. `was`: what was asked for when the user began to change it."""
    old = read_request(root / name)
    if old is None or old.status == "launched":
        raise InputError("has begun, or was not asked for here", where=name, remedy="clone it with the changes")
    new = _request(root, old.job, params, how)
    if (was is not None and not same_wish(was, old)) or not replace_request(root, name, old, new):
        raise InputError("was changed meanwhile, in another window or by somebody else", where=name,
                         remedy="open its form again, which shows the change; yours was not saved")
    _leave_star(root / name, new)
    sync(root, (name,))


def go_on(root: Path, name: str, changes: Mapping[str, Any], how: How | None) -> None:
    """Continue a job that was stopped, killed or failed, in its folder; one that waits as a draft is let go. Without `how` it runs where it ran."""
    folder = root / name
    now, request = standing(folder), read_request(folder)
    if now is None or now.state == "Running":
        raise InputError(f"is {now.state if now else 'empty'}", where=name, remedy="wait for it, or stop it first")
    if request is not None and request.status != "launched":
        if not replace_request(root, name, request, replace(request, status="waiting", reason="")):
            raise InputError("has just begun, or was changed", where=name, remedy="look at it, and try again")
        return
    facts = facts_of(folder)
    job = find(facts.job) if facts.job else None
    if job is None or not job.can_continue:
        raise InputError(f"{facts.job or 'this job'} cannot be continued", where=name, remedy="start it again, or clone it")
    kept = {one: facts.resources.get(one) for one in ("seed", "deterministic")}
    how = how or (How(request.common, (), request.cpus, request.gpus, request.queue, request.wish) if request else How())
    asked = _request(root, facts.job, {}, replace(how, common=kept | dict(how.common)), checked=False)
    write_request(folder, replace(asked, params=named_values(root, facts.job, changes), continuing=True))
    sync(root)


def start_again(root: Path, name: str) -> None:
    """From the beginning, in the same folder, with the same parameters: what waits for this job goes on waiting for it."""
    folder = root / name
    now, request = standing(folder), read_request(folder)
    if now is None or now.state not in ("Failed", "Aborted"):
        raise InputError(f"is {now.state if now else 'empty'}", where=name, remedy="only what was stopped, killed or failed is started again")
    if request is None:
        raise InputError("was not asked for in this project, so it cannot be started again here", where=name, remedy="clone it")
    params = facts_of(folder).params if request.continuing else request.params
    if not replace_request(root, name, request, replace(request, params=params, status="waiting", reason="", continuing=False)):
        raise InputError("somebody else has just changed it or started it", where=name, remedy="look at it again")
    sync(root)


def _leave(folder: Path, request: JobRequest) -> None:
    _leave_star(folder, request)
    write_request(folder, request)


def _leave_star(folder: Path, request: JobRequest) -> None:
    job = find(request.job)
    write_job_star(folder / "job.star", job, parse(job.params, dict(request.params)), continuing=False)


def _request(root: Path, job: str, params: Mapping[str, Any], how: How, checked: bool = True) -> JobRequest:
    found = find(job)
    given = named_values(root, job, {name: value for name, value in params.items() if value is not None})
    if checked:
        kept = parse(found.params, given).model_dump(mode="json", exclude_none=True)
        given = {name: kept.get(name, value) for name, value in given.items()}
    rules = {name: value for name, value in how.common.items() if value is not None and name not in PLACES}
    threads = parse(CommonParams, dict(rules)).threads
    pipeline = snapshot(root).pipeline
    waits = [find_name(pipeline, one) for one in how.after] + [job_named(pipeline, one) for one in references(given)]
    if how.queue:
        read_queue(how.queue)
        wish_of(job, how.wish)
    cores, cards = slots.machine()
    cpus = how.cpus if how.cpus is not None else threads or (0 if found.light else cores)
    gpus = how.gpus if how.gpus is not None else 0 if found.light else _gpus_of(rules, cards)
    if not how.queue and (cpus > cores or gpus > cards):
        raise InputError(f"{cpus} CPUs and {gpus} GPUs are asked for; this machine has {cores} and {cards}", where=job,
                         remedy="ask for less, or give a queue")
    if gpus > 1 and not how.queue:
        raise InputError(f"{gpus} GPUs: a job of this machine takes one", where=job, remedy="ask for one, or give the job to a queue")
    if not how.queue:
        rules |= {"threads": threads or max(1, cpus)}
    return JobRequest(job, given, rules, tuple(dict.fromkeys(waits)), cpus, gpus, how.queue, dict(how.wish), False,
                      "held" if how.hold else "waiting", datetime.now(UTC).astimezone().isoformat(timespec="seconds"))


def _gpus_of(rules: Mapping[str, Any], cards: int) -> int:
    """--device cpu takes none, cuda one; auto takes one where there is one."""
    device = str(rules.get("device", "auto"))
    return 0 if device == "cpu" else 1 if device.startswith("cuda") else min(cards, 1)
