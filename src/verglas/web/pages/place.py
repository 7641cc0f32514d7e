"""Where and when a job runs: after which others, CPUs, GPU, this machine or a queue."""

from typing import Any

from nicegui import ui

from verglas.api.project import Project
from verglas.cluster.queue import BUILT_IN
from verglas.jobs.spec import Job
from verglas.project.ask import How
from verglas.project.request import JobRequest
from verglas.project.slots import machine
from verglas.web.watch import watch

HERE, OTHER = "here", "other"
RECENT = 200
"""Jobs that are offered to be waited for."""


class Place:
    """`how(hold)`: what the fields say; None when something is wrong with them."""

    def __init__(self, project: Project, job: Job | None, old: JobRequest | None) -> None:
        """`job` None: several, of which each takes what it usually does where nothing else is said."""
        self.project, self.old = project, old
        cores, cards = machine()
        self.usual = (0, 0) if job and job.light else (cores, min(1, cards))
        self.rows: dict[str, ui.element] = {}
        self.box = ui.expansion(f"Where and when: {_words(_where(old))}", on_value_change=self._build).classes("card")
        self.box.value = old is not None and bool(old.after or old.queue)

    def _build(self) -> None:
        """The fields, once they are wanted: most jobs run here and at once."""
        if self.rows:
            return
        project, old = self.project, self.old
        cores, cards = machine()
        common = dict(old.common) if old else {}
        given = _asked(old) or self.usual
        with self.box:
            self.after = self._row(
                "Wait for",
                "Jobs that must have succeeded before; those whose files it reads are waited for anyway.",
                lambda: ui.select(_jobs(project, old), multiple=True, with_input=True, value=list(old.after) if old else []).props(
                    "outlined dense use-chips"
                ),
            )
            self.where = self._row(
                "Run on",
                "A queue gives the job to the cluster.",
                lambda: ui.select(
                    {HERE: "This machine"} | {one: f"Cluster: {one}" for one in BUILT_IN} | {OTHER: "Cluster: another queue file ..."},
                    value=_where(old),
                ).props("outlined dense"),
            )
            self.file = self._row(
                "Queue file",
                "TOML file that describes the queue, see docs/cluster.md.",
                lambda: ui.input(value=old.queue if old and _where(old) == OTHER else "").props("outlined dense"),
            )
            self.rows["Queue file"].bind_visibility_from(self.where, "value", lambda value: value == OTHER)
            self.cpus = self._row(
                "CPUs",
                f"Threads of each process; this machine has {cores}. With 0 it begins at once and takes one, for jobs of seconds.",
                lambda: ui.number(value=given[0], min=0, max=4096, precision=0).props("outlined dense"),
            )
            self.gpu = self._row(
                "GPU",
                f"This machine has {cards or 'none'}.",
                lambda: ui.select({0: "none", 1: "one"}, value=min(1, given[1])).props("outlined dense"),
            )
            cluster = ui.element("div").classes("full-width").style("display: flex; flex-direction: column; gap: 10px")
            with cluster.bind_visibility_from(self.where, "value", lambda value: value != HERE):
                wish = dict(old.wish) if old else {}
                self.tasks = self._row(
                    "Processes",
                    "More than one: workers that share movies or micrographs; for refinements, one for each GPU.",
                    lambda: ui.number(value=wish.get("tasks", 1), min=1, max=4096, precision=0).props("outlined dense"),
                )
                self.memory = self._row(
                    "Memory", "Of each machine.", lambda: ui.number(value=wish.get("memory_gb"), min=1, precision=0).props("outlined dense suffix=GB")
                )
                self.time = self._row(
                    "Time limit", "As the queue writes it, such as 12:00:00.", lambda: ui.input(value=wish.get("time", "")).props("outlined dense")
                )
                self.partition = self._row(
                    "Partition", "Name of the queue or partition.", lambda: ui.input(value=wish.get("queue", "")).props("outlined dense")
                )
            self.repeatable = self._row(
                "Repeatable",
                "The same bits on every run with the same number of CPUs; a little slower.",
                lambda: ui.switch(value=bool(common.get("deterministic"))),
            )
            self.seed = self._row(
                "Seed",
                "Of all random numbers: the same seed gives the same result.",
                lambda: ui.number(value=common.get("seed", 0), min=0, max=2**31 - 1, precision=0).props("outlined dense"),
            )
        self.where.on_value_change(lambda event: self.box.props(f'label="Where and when: {_words(event.value)}"'))

    def _row(self, name: str, help: str, make: Any) -> Any:
        with ui.element("div").classes("field narrow" if name not in ("Wait for", "Queue file") else "field") as row:
            ui.label(name).classes("name")
            with ui.element("div").classes("control"):
                control = make()
            ui.label(help).classes("help hint")
        self.rows[name] = row
        return control

    def how(self, hold: bool) -> How | None:
        self._build()
        cluster = self.where.value != HERE
        queue = (self.file.value or "").strip() if self.where.value == OTHER else self.where.value if cluster else ""
        cpus, gpus, tasks = int(self.cpus.value or 0), int(self.gpu.value or 0), int(self.tasks.value or 1)
        wish = (
            {
                "tasks": tasks,
                "cpus": max(1, cpus),
                "gpus": gpus * tasks,
                "memory_gb": int(self.memory.value) if self.memory.value else None,
                "time": self.time.value or "",
                "queue": self.partition.value or "",
            }
            if cluster
            else {}
        )
        common: dict[str, Any] = {"seed": int(self.seed.value or 0)}
        common |= {"deterministic": True} if self.repeatable.value else {}
        common |= {"threads": cpus} if cpus not in (0, machine()[0]) and not cluster else {}
        if cluster and not queue:
            self.file.error = "Give the file of the queue."
            return None
        return How(
            common=common,
            after=tuple(self.after.value or ()),
            cpus=None if cluster or cpus == self.usual[0] else cpus,
            gpus=None if cluster or gpus == self.usual[1] else gpus,
            queue=queue,
            wish={name: value for name, value in wish.items() if value not in (None, "")},
            hold=hold,
        )


def _asked(old: JobRequest | None) -> tuple[int, int] | None:
    """(CPUs, GPUs) of an earlier wish, of each process in a queue."""
    if old is None or not old.queue:
        return (old.cpus, old.gpus) if old else None
    return int(old.wish.get("cpus", 1)), int(old.wish.get("gpus", 0))


def _where(old: JobRequest | None) -> str:
    return HERE if old is None or not old.queue else old.queue if old.queue in BUILT_IN else OTHER


def _words(where: str) -> str:
    return "this machine, as soon as there is room" if where == HERE else "through the queue of a cluster"


def _jobs(project: Project, old: JobRequest | None) -> dict[str, str]:
    """The last jobs, and those that it waits for already."""
    jobs = sorted(watch(project).now().pipeline.processes, key=lambda one: -one.number)
    kept = jobs[:RECENT] + [one for one in jobs[RECENT:] if old and one.name in old.after]
    return {one.name: f"{one.name} ({one.alias.rpartition('/')[2] or one.state})" for one in kept}
