"""What an empty project offers: the jobs that bring data in, and the workflows."""

from html import escape
from urllib.parse import quote

from nicegui import ui

from verglas.api.project import Project
from verglas.jobs.registry import ENTRIES
from verglas.web.stages import title
from verglas.web.theme import base

FIRST = ("import movies", "import micrographs", "import particles")


def begin(project: Project) -> ui.element:
    """Hidden by the page as soon as there is a job."""
    cards = [(f"/new/{quote(one)}", title(one), ENTRIES[one].summary) for one in FIRST]
    cards.append(("/workflows", "Workflows", "A whole chain of jobs at once, such as from movies to a sharpened map."))
    links = "".join(
        f"<a class='type' href='{base(project)}{link}'><b>{escape(words)}</b><span class='hint'>{escape(hint)}</span></a>"
        for link, words, hint in cards
    )
    with ui.element("section").style("width: 100%") as card:
        ui.html(f"<h2 style='margin-bottom: 10px'>Where to begin</h2><div class='types'>{links}</div>", sanitize=False).style("width: 100%")
    return card
