"""The application: pages, data routes and static files, without the guard."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from nicegui import ui

from verglas.web.data import ROUTERS
from verglas.web.refused import install
from verglas.web.routes import ROUTER
from verglas.web.wizards.routes import router as wizards

STATIC = Path(__file__).parent / "static"


def build() -> FastAPI:
    """What the guard stands before."""
    import verglas.web.pages  # noqa: F401  registers the pages

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=STATIC))
    app.include_router(ROUTER)
    for router in (*ROUTERS, wizards):
        app.include_router(router, prefix="/p/{key}/data")
    install(app)
    ui.run_with(app, title="verglas", tailwind=False, show_welcome_message=False, binding_refresh_interval=None, favicon=STATIC / "favicon.svg")
    return app
