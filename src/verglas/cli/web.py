"""`verglas web`: the pages."""

from pathlib import Path


def web(*, project: Path | None = None, port: int = 8711, host: str = "127.0.0.1", read_only: bool = False) -> int:
    """The project in the browser. The address that is printed holds a token; open it as it is.

    Parameters
    ----------
    project
        Folder of a project; without it the one that this folder lies in, if any.
    port
        Of the server; 0: any that is free. From elsewhere: ssh -L 8711:127.0.0.1:8711 HOST.
    host
        Address to listen at; others than 127.0.0.1 can be reached from the network, without encryption.
    read_only
        Write nothing into the project.
    """
    from verglas.api.project import open_project
    from verglas.project.layout import find_root
    from verglas.web.places import admit
    from verglas.web.serve import serve

    folder = project if project is not None else find_root()
    key = admit(open_project(folder, read_only=read_only)) if folder else ""
    serve(host, port, f"/p/{key}" if key else "/")
    return 0
