"""The frame of every page: header with search and light or dark, drawer with the pages and jobs, content."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import escape
from urllib.parse import quote

from nicegui import ui

from verglas.api.project import Project
from verglas.errors import VerglasError
from verglas.project.sync import Snapshot
from verglas.types.pipeline import Process
from verglas.web.places import key_of
from verglas.web.stages import OTHER, STAGES, found_types, stage_of, title
from verglas.web.watch import watch

MODES: dict[str, bool | None] = {"auto": None, "light": False, "dark": True}
MODE_ICONS = {"auto": "brightness_auto", "light": "light_mode", "dark": "dark_mode"}
MODE_COOKIE = "verglas_mode"
PAGES = (
    ("Jobs", "", "list", "All jobs, with their states"),
    ("Graph", "/graph", "account_tree", "What came of what"),
    ("New job", "/new", "add", "Choose a type of job and its parameters"),
    ("Workflows", "/workflows", "schema", "Run a whole chain of jobs, or keep one to run again"),
    ("Trash", "/trash", "delete_outline", "Deleted jobs, which can come back"),
)
PER_STAGE = 12
"""Jobs of a stage in the drawer; the list has all."""


def base(project: Project) -> str:
    """/p/KEY: where the pages of the project are."""
    return f"/p/{key_of(project.root)}"


def job_link(project: Project, job: str) -> str:
    """The page of a job."""
    return f"{base(project)}/job/{quote(job)}"


def view_link(project: Project, viewer: str, file: str, job: str = "") -> str:
    """The page where a viewer shows a file."""
    return f"{base(project)}/view/{quote(viewer)}?file={quote(file)}" + (f"&job={quote(job)}" if job else "")


@contextmanager
def frame(project: Project | None, title: str, active: str = "") -> Iterator[None]:
    """Everything around a page. `active`: the entry of the drawer ("Graph"), or the name of the job, that is shown."""
    ui.page_title(f"{title} - verglas")
    ui.context.client.on_exception(_unexpected)
    ui.add_head_html('<link rel="stylesheet" href="/static/theme.css">')
    ui.colors(primary="#1f6f8b", positive="#2e7d4f", negative="#b3382c", warning="#a66a00", dark="#1b2227", dark_page="#12171a")
    chosen = _chosen_mode()
    mode = ui.dark_mode(MODES[chosen])
    with ui.header().classes("bar"):
        menu = ui.button(icon="menu").props("flat dense aria-label='Show or hide the drawer'") if project else None
        ui.link("verglas", "/").classes("brand")
        if project:
            ui.link(project.root.name or "/", base(project)).classes("project").tooltip(str(project.root))
            if project.read_only:
                ui.badge("read only").props("outline").tooltip("The folder may not be written: look at everything, change nothing.")
            _search(project)
        else:
            ui.space()
        _mode_button(mode, chosen)
    if project:
        with ui.left_drawer(value=True, bordered=True).props("width=250 breakpoint=900").classes("drawer") as drawer:
            _drawer(project, active)
        if menu:
            menu.on_click(drawer.toggle)
    with ui.element("main").classes("page"):
        if project:
            _trouble(project)
        yield


def _chosen_mode() -> str:
    """auto, light or dark."""
    request = ui.context.client.request
    found = request.cookies.get(MODE_COOKIE, "auto") if request else "auto"
    return found if found in MODES else "auto"


def _mode_button(mode: ui.dark_mode, chosen: str) -> None:
    def choose(name: str) -> None:
        mode.value = MODES[name]
        button.props(f"icon={MODE_ICONS[name]}")
        ui.run_javascript(f"document.cookie = '{MODE_COOKIE}={name}; path=/; max-age=31536000; SameSite=Strict'")

    with ui.button(icon=MODE_ICONS[chosen]).props("flat dense aria-label='Light or dark'") as button, ui.menu():
        for name, words in (("auto", "As the system"), ("light", "Light"), ("dark", "Dark")):
            ui.menu_item(words, lambda name=name: choose(name))


def _search(project: Project) -> None:
    """Jobs by number, name, alias or type, and job types to start."""
    targets: list[str] = []

    def update(text: str) -> None:
        targets.clear()
        menu.clear()
        if not text.strip():
            menu.close()
            return
        with menu:
            for words, hint, link in found_places(project, text):
                targets.append(link)
                with ui.menu_item(on_click=lambda link=link: ui.navigate.to(link)):
                    ui.label(words)
                    ui.label(hint).classes("hint")
            if not targets:
                ui.menu_item("Nothing of that name").props("disable")
        menu.open()

    box = ui.input(placeholder="Search jobs and job types", on_change=lambda event: update(event.value or ""))
    box.props("dense outlined debounce=150 clearable aria-label='Search jobs and job types'").classes("search")
    box.on("keydown.enter", lambda: ui.navigate.to(targets[0]) if targets else None)
    with box:
        menu = ui.menu().props("no-focus no-parent-event fit no-refocus")


def found_places(project: Project, text: str) -> list[tuple[str, str, str]]:
    """(words, hint, link) for what is searched: at most ten jobs, the last ones first, and five types."""
    wanted = text.lower().split()
    found = []
    for one in sorted(watch(project).now().pipeline.processes, key=lambda process: -process.number):
        if all(word in f"{one.name} {one.alias} {one.type} {one.state}".lower() for word in wanted):
            found.append((one.name, one.alias.rpartition("/")[2] or one.state, job_link(project, one.name)))
        if len(found) == 10:
            break
    types = [(f"New: {title(one)}", "job type", f"{base(project)}/new/{quote(one)}") for one in found_types(text)[:5]]
    return found + types


def _drawer(project: Project, active: str) -> None:
    for words, path, icon, help in PAGES:
        with ui.link(target=base(project) + path).classes("entry" + (" active" if words == active else "")).tooltip(help):
            ui.icon(icon)
            ui.label(words)
    seen = watch(project)

    def drawn() -> str:
        return jobs_tree(project, seen.once("stages", by_stage), seen.now().details, active)

    jobs = ui.html(drawn(), sanitize=False).classes("jobs-tree")
    version = seen.version

    def refresh() -> None:
        nonlocal version
        if seen.version != version:
            version = seen.version
            jobs.set_content(drawn())

    ui.timer(1.0, refresh)


def by_stage(found: Snapshot) -> dict[str, list[Process]]:
    """The jobs of each stage, the last ones first."""
    stages: dict[str, list[Process]] = {stage: [] for stage in (*STAGES, OTHER)}
    for one in sorted(found.pipeline.processes, key=lambda process: -process.number):
        stages[stage_of(one)].append(one)
    return stages


def jobs_tree(project: Project, stages: Mapping[str, list[Process]], details: Mapping[str, str], active: str) -> str:
    """The last jobs of each stage as HTML; every text of a user is escaped."""
    lines = []
    for stage, jobs in stages.items():
        if jobs:
            shown = jobs[:PER_STAGE] + [one for one in jobs[PER_STAGE:] if one.name == active]
            more = f"<a class='more' href='{base(project)}?stage={quote(stage)}'>all {len(jobs)}</a>" if len(jobs) > len(shown) else ""
            rows = "".join(_tree_row(project, one, details.get(one.name, ""), active) for one in shown)
            lines.append(f"<details open><summary>{escape(stage)}</summary>{rows}{more}</details>")
    return "".join(lines) or "<p class='hint'>No jobs yet.</p>"


def _tree_row(project: Project, one: Process, detail: str, active: str) -> str:
    words = one.alias.rpartition("/")[2] or one.name.partition("/")[0]
    hint = f"{one.name}: {one.state}" + (f", {detail}" if detail else "")
    return (
        f"<a class='row-job{' active' if one.name == active else ''}' href='{escape(job_link(project, one.name), True)}' "
        f"title='{escape(hint, True)}'>"
        f"<i class='dot {one.state}'></i><span>{escape(words)}</span><b>{one.number}</b></a>"
    )


def _trouble(project: Project) -> None:
    """What the scheduler cannot do, as a line that comes and goes."""
    seen = watch(project)
    line = ui.label().classes("problem")

    def show() -> None:
        line.set_text(said(seen.problem))
        line.visible = bool(seen.problem)

    show()
    ui.timer(2.0, show)


def state_chip(state: str, detail: str = "") -> ui.html:
    """The state in its colour, and what the word does not say."""
    return ui.html(state_html(state, detail), sanitize=False)


def state_html(state: str, detail: str = "") -> str:
    more = f" <span class='hint'>{escape(detail)}</span>" if detail else ""
    return f"<span class='state {state}'><i class='dot {state}'></i>{state}</span>{more}"


def tell(error: VerglasError) -> None:
    """An error as it is: where, what was found, what to do. It stays until it is read."""
    ui.notification(said(str(error)), type="negative", multi_line=True, close_button="Close", timeout=None, position="top").classes("told")


def _unexpected(error: Exception) -> None:
    """What a button met that nobody had thought of; the terminal has the whole of it."""
    if isinstance(error, VerglasError):
        tell(error)
    else:
        ui.notify("This did not work: an error in the program. The terminal of `verglas web` says more.", type="negative", timeout=10000)


def said(text: str) -> str:
    """A message as the command line prints it, for the page."""
    return text.removeprefix("verglas: ").removeprefix("error: ").replace("\n  -> ", "\nWhat to do: ")


def missing(text: str) -> None:
    """A line where there is nothing to show."""
    ui.label(text).classes("hint")
