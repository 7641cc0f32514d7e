"""The report of a job, for the frame on its page and as a download."""

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse, Response

from verglas.project.layout import number_of
from verglas.web.places import file_in, project_of

ROUTER = APIRouter()
SANDBOX = (
    "sandbox allow-scripts; default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; font-src data:; "
    "frame-ancestors 'self'"
)
"""The report is a page of its own, which may run its scripts and reach nothing, this server included."""


@ROUTER.get("/p/{key}/report/{kind}/{job}")
def report(key: str, kind: str, job: str, download: bool = False) -> Response:
    project, name = project_of(key), f"{kind}/{job}"
    if not number_of(name):
        raise HTTPException(404, f"{name} is no job.")
    path = file_in(project, f"{name}/report.html")
    headers = {"content-security-policy": SANDBOX, "cache-control": "no-cache"}
    if download:
        return FileResponse(path, media_type="text/html", headers=headers, filename=f"{project.root.name}-{kind}-{job}.html")
    return FileResponse(path, media_type="text/html", headers=headers)
