"""/volume...: slices, histogram, surface of a map, and the script that opens it in ChimeraX."""

import struct
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Query, Response
from fastapi.responses import FileResponse, StreamingResponse

from verglas.web.data import surface, volume
from verglas.web.data.answers import Answers, FileIn, InProject, Number, known, raw
from verglas.web.data.chimerax import script as chimerax_script
from verglas.web.data.chimerax import zipped
from verglas.web.places import file_in

router = APIRouter(route_class=Answers)
Name = Annotated[str, Query(max_length=1000)]
Axis = Annotated[int, Query(ge=0, le=2)]
Index = Annotated[int, Query(ge=0, le=1_000_000)]


@router.get("/volume")
def facts(path: FileIn, later: BackgroundTasks) -> dict[str, Any]:
    """Size, contrast, histogram; and the file is read ahead."""
    one = volume.open_volume(path)
    later.add_task(volume.warm, path)
    counts, edges = volume.histogram(one)
    low, high = one.range
    return {"shape": one.data.shape, "pixel": known(one.pixel), "low": low, "high": high, "counts": counts.tolist(),
            "from": float(edges[0]), "to": float(edges[-1]), "type": str(one.data.dtype.newbyteorder("="))}


@router.get("/volume/slice")
def raw_slice(path: FileIn, axis: Axis, index: Index, low: Number = None, high: Number = None) -> Response:
    """uint8, first row on top."""
    one = volume.open_volume(path)
    black, white = _window(one, low, high)
    return raw(volume.shaded(volume.section(one, axis, index), black, white))


@router.get("/volume/difference")
def raw_difference(path: FileIn, project: InProject, other: Name, axis: Axis, index: Index, width: Number = None) -> Response:
    """uint8 of this map minus the other, grey 128 at zero; `width`: the difference that is black or white."""
    one, two = volume.open_volume(path), volume.open_volume(file_in(project, other))
    values = volume.difference(one, two, axis, index)
    reach = width or float((one.range[1] - one.range[0]) / 4)
    return raw(volume.shaded(values, -abs(reach), abs(reach)), width=abs(reach))


@router.get("/volume/surface")
def triangles(path: FileIn, project: InProject, level: Number = None, colour: Name = "") -> Response:
    """Points float32, normals int8, triangles uint32, then a colour value float32 for each point if `colour` names a map.

    The body begins with three uint32 (points, triangles, with colour) and five float32 (box in voxels of the mesh x, y, z; Å per voxel; level).
    """
    field = surface.open_field(path)
    at = level if level is not None else surface.usual_level(field)
    found = surface.mesh(field, at)
    values = surface.colour_values(found.points, field.data.shape, surface.open_field(file_in(project, colour))) if colour else None
    pixel = volume.open_volume(path).pixel * field.step
    head = struct.pack("<3I5f", len(found.points), len(found.triangles), values is not None, *field.data.shape[::-1], pixel, at)
    parts = [head, found.points.astype("<f4").tobytes(), found.triangles.astype("<u4").tobytes(),
             b"" if values is None else values.astype("<f4").tobytes(), (found.normals * 127).round().astype("i1").tobytes()]
    return Response(b"".join(parts), media_type="application/octet-stream")


@router.get("/volume/surface/levels")
def levels(path: FileIn) -> dict[str, float]:
    """Between which thresholds to choose."""
    field = surface.open_field(path)
    return {"usual": surface.usual_level(field), "from": float(field.data.mean()), "to": float(field.data.max())}


@router.get("/volume/chimerax")
def chimerax(path: FileIn, project: InProject, level: Number = None, colour: Name = "", low: Number = None, high: Number = None,
             packed: bool = False) -> Response:
    """A .cxc script that opens the map at the threshold; `packed`: in a .zip with the maps, for a computer that does not have them."""
    maps = [path, *([file_in(project, colour)] if colour else [])]
    field = surface.open_field(path)
    at = level if level is not None else surface.usual_level(field)
    ends = low if low is not None else 0.0, high if high is not None else 1.0
    if not packed:
        text = chimerax_script([str(one) for one in maps], at, ends)
        return Response(text, media_type="text/plain; charset=utf-8", headers={"Content-Disposition": _attached(f"{path.stem}.cxc")})
    names = [f"{number}_{one.name}" for number, one in enumerate(maps, 1)]
    parts = zipped(f"{path.stem}.cxc", chimerax_script(names, at, ends), dict(zip(names, maps)))
    return StreamingResponse(parts, media_type="application/zip", headers={"Content-Disposition": _attached(f"{path.stem}_chimerax.zip")})


@router.get("/download")
def download(path: FileIn) -> FileResponse:
    """The file itself."""
    return FileResponse(path, filename=path.name, media_type="application/octet-stream")


def _attached(name: str) -> str:
    safe = "".join(one if one.isascii() and (one.isalnum() or one in "._-") else "_" for one in name)
    return f'attachment; filename="{safe}"'


def _window(one: volume.Volume, low: float | None, high: float | None) -> tuple[float, float]:
    usual = one.range
    return (usual[0] if low is None else low, usual[1] if high is None else high)


