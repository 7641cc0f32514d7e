"""What the data routes share: files of a project, pictures and arrays as answers, and errors of the user's files as 422."""

import io
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from fastapi import Depends, HTTPException, Query, Request, Response
from fastapi.routing import APIRoute
from PIL import Image

from verglas.api.project import Project
from verglas.errors import VerglasError
from verglas.web.places import file_in, project_of

FINITE = {"allow_inf_nan": False, "ge": -1e30, "le": 1e30}
Number = Annotated[float | None, Query(**FINITE)]
"""A number that may be left out; NaN and infinity are refused."""


class Answers(APIRoute):
    """A route whose trouble with a file is told to the user: what was found, expected, and what to do."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except VerglasError as error:
                raise HTTPException(422, str(error)) from error
            except OSError as error:
                raise HTTPException(422, f"The file cannot be read: {error.strerror or error}.") from error

        return answer


def asked_project(key: str) -> Project:
    """The project of /p/{key}/..."""
    return project_of(key)


def asked_file(project: Annotated[Project, Depends(asked_project)], file: Annotated[str, Query(max_length=1000)]) -> Path:
    """?file=NAME, a file of the project."""
    return file_in(project, file)


InProject = Annotated[Project, Depends(asked_project)]
FileIn = Annotated[Path, Depends(asked_file)]


def picture(pixels: np.ndarray) -> Response:
    """(H, W) or (H, W, 3) uint8, first row on top, as PNG."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return Response(out.getvalue(), media_type="image/png")


def raw(array: np.ndarray, **facts: object) -> Response:
    """The bytes of an array, little-endian, with its shape (and other facts) in headers."""
    data = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    headers = {"X-Shape": ",".join(map(str, data.shape))} | {f"X-{name.replace('_', '-').title()}": str(value) for name, value in facts.items()}
    return Response(data.tobytes(), media_type="application/octet-stream", headers=headers)


def known(value: float) -> float | None:
    """None, which JSON has, for NaN and infinity, which it has not."""
    return float(value) if np.isfinite(value) else None


def stamp(path: Path) -> tuple[str, int, int]:
    """What tells one state of a file from another: path, size, time of change."""
    status = path.stat()
    return str(path), status.st_size, status.st_mtime_ns


def require(sound: bool, message: str) -> None:
    """422 with the message unless it is sound."""
    if not sound:
        raise HTTPException(422, message)
