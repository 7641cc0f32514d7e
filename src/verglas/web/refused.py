"""What the browser gets when a page cannot be made: what was found and what to do, never a traceback."""

from html import escape

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from nicegui import app as pages
from starlette.exceptions import HTTPException

from verglas.errors import VerglasError
from verglas.web.theme import said

HEADINGS = {401: "Not open", 403: "Not allowed", 404: "Not here", 409: "The project cannot be read", 422: "Not understood"}


def install(app: FastAPI) -> None:
    """For the pages as HTML, for the data routes of `app` as a short text."""
    for key in (404, HTTPException, RequestValidationError, VerglasError):
        pages.add_exception_handler(key, _page)
    for error in (RequestValidationError, VerglasError):
        app.add_exception_handler(error, _text)


def _page(request: Request, error: Exception) -> Response:
    status, text = _words(error)
    return HTMLResponse(
        f"<!doctype html><meta charset='utf-8'><title>{status} - verglas</title><link rel='stylesheet' href='/static/theme.css'>"
        f"<body><div class='page' style='max-width: 640px; margin: 12vh auto'><h1>{HEADINGS.get(status, 'Not possible')}</h1>"
        f"<p style='white-space: pre-wrap'>{escape(text)}</p><p><a href='/'>All projects</a></p></div>",
        status,
    )


def _text(request: Request, error: Exception) -> Response:
    status, text = _words(error)
    return JSONResponse({"detail": text}, status)


def _words(error: Exception) -> tuple[int, str]:
    if isinstance(error, HTTPException):
        return error.status_code, "There is no such page." if error.detail == "Not Found" else str(error.detail)
    if isinstance(error, VerglasError):
        return 409, said(str(error))
    return 422, "The address has a value that does not fit."
