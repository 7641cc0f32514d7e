"""The server: pages, data routes and static files behind one guard, with the scheduler beside it."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from nicegui import ui

from verglas.web.data import ROUTERS

STATIC = Path(__file__).parent / "static"


def build() -> FastAPI:
    """The application without its guard."""
    import verglas.web.pages  # noqa: F401  registers the pages

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=STATIC))
    for router in ROUTERS:
        app.include_router(router, prefix="/p/{key}/data")
    ui.run_with(app, title="verglas", tailwind=False, show_welcome_message=False)
    return app
