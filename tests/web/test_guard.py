"""Nothing is answered without the cookie, to another name or another page; nothing outside a project is given; nothing is written."""

import itertools
import random
import re
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.routing import APIRoute

from verglas.web.routes import ROUTER

SECRET = "what nobody may read through the server"
SOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
UPGRADE = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec_WebSocket_Version": "13"}
NASTY = (
    "../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "/etc/passwd", "Movies/secret.txt", "Import/job001/linked.txt", "Movies/../elsewhere/secret.txt",
    "loop", "Import", "a" * 3000, "\0", "%", "-1", "1e400", "NaN", "9" * 400, "<script>", "💥", "", "Import/job001/movies.star", "{}", "[]", "null",
)


def routes() -> list[tuple[str, APIRoute]]:
    """Path and route of all of the server: pages, data, report; NiceGUI's own included."""
    from nicegui import app as pages

    from verglas.web.app import build
    from verglas.web.data import ROUTERS

    build()
    data = [(f"/p/{{key}}/data{one.path}", one) for router in ROUTERS for one in router.routes]
    others = [(one.path, one) for one in (*pages.routes, *ROUTER.routes) if isinstance(one, APIRoute)]
    return [(path, one) for path, one in (*data, *others) if isinstance(one, APIRoute)]


def test_every_route_needs_the_cookie(served: Any) -> None:
    server, _ = served
    paths = {re.sub(r"\{key(:\w+)?\}", server.base.rpartition("/")[2], path) for path, _ in routes()}
    assert len(paths) > 12, "the routes were not found"
    for path in {*(re.sub(r"\{[^}]*\}", "x", one) for one in paths), "/static/theme.css", "/nothing", SOCKET.replace("websocket", "polling")}:
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
            answer = server.ask(quote(path, safe="/?=&"), method, Origin=server.origin)
            assert answer.status in (401, 403), (path, method, answer.status)
            assert "verglas web" in answer.read().decode()
    for cookie in ("verglas=1", f"{server.cookie}x", server.cookie.partition("=")[0] + "=", "\x80=;;"):
        assert server.ask("/", Cookie=cookie).status == 401


def test_a_token_works_once_and_gives_a_cookie_for_this_browser_alone(server_of: Any) -> None:
    server = server_of()
    assert server.ask("/?token=wrong").status == 401 and server.ask("/?token=").status == 401
    answer = server.ask(f"/?token={server.token}")
    cookie = answer.getheader("set-cookie")
    assert answer.status == 303 and answer.getheader("location") == "/" and "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert server.token not in cookie
    assert server.ask(f"/?token={server.token}").status == 401, "the token was used"
    again = re.findall(r"token=(\S+)", server.log.read_text())[-1]
    assert again != server.token and server.ask(f"/?token={again}").status == 303, "the next browser has the next token"
    assert server.ask("/", Cookie=cookie.partition(";")[0]).status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[", "169.254.169.254"])
def test_the_server_has_its_own_names_only(served: Any, host: str) -> None:
    server, _ = served
    assert server.get("/", Host=host).status == 403 or host == ""
    if host == "":
        assert server.get("/", Host=host).status in (400, 403)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1", "http://localhost:1", "http://127.0.0.1.evil.example"])
def test_other_pages_can_ask_for_nothing(served: Any, origin: str) -> None:
    server, _ = served
    assert server.get("/", Origin=origin).status == 403
    assert server.ask(server.base, "POST", Cookie=server.cookie, Origin=origin).status == 403
    assert server.ask(server.base, "POST", Cookie=server.cookie).status == 403, "a change without an Origin"
    assert server.get(SOCKET, Origin=origin, **UPGRADE).status == 403


def test_the_socket_is_guarded_as_the_pages(served: Any) -> None:
    server, _ = served
    assert server.ask(SOCKET, Origin=server.origin, **UPGRADE).status == 403
    assert server.get(SOCKET, **UPGRADE).status == 403, "a socket without an Origin"
    assert server.get(SOCKET, Origin=server.origin, Host="evil.example", **UPGRADE).status == 403
    assert server.get(SOCKET, Origin=server.origin, **UPGRADE).status == 101


def test_nobody_tells_the_pages_where_they_are(served: Any) -> None:
    server, _ = served
    for name in ("X-Forwarded-Prefix", "X-Forwarded-Host", "Forwarded"):
        assert "evil.example" not in server.get(server.base, **{name: "//evil.example"}).read().decode()


def test_large_requests_are_refused(served: Any) -> None:
    server, _ = served
    same = {"Cookie": server.cookie, "Origin": server.origin}
    assert server.ask("/", "POST", **same, Content_Length=str(2**40)).status == 413
    assert server.ask("/", "POST", **same, Content_Length="-1").status in (400, 413)
    assert server.get("/?x=" + "a" * 20000).status in (414, 400, 431)


def test_answers_tell_the_browser_to_trust_nobody_else(served: Any) -> None:
    server, _ = served
    headers = server.get(server.base).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'self'" in policy and "http" not in policy
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
    report = server.get(f"{server.base}/report/Class2D/job002")
    assert report.status == 200 and "sandbox" in report.headers["content-security-policy"], "a report runs apart from the pages"
    assert "allow-same-origin" not in report.headers["content-security-policy"]


def test_pages_of_a_project_escape_what_is_in_it(served: Any) -> None:
    server, _ = served
    for path in ("", "/graph", "/job/Class2D/job002", "/trash", "/new", "/new/mask?map=<script>x</script>"):
        text = server.get(server.base + quote(path, safe="/?=")).read().decode()
        assert "<b>x</b>" not in text and "<script>x" not in text and "<script>window.hacked" not in text, path


def test_fuzz_gives_no_server_error_no_secret_and_writes_nothing(served: Any, contents: Any) -> None:
    server, root = served
    before = contents(root)
    chance = random.Random(5)
    statuses: dict[int, int] = {}
    for pattern, route in routes():
        names = [one.alias for one in route.dependant.query_params]
        for trial, nasty in enumerate(itertools.chain(NASTY, chance.sample(NASTY, 6))):
            keep = trial % 2

            def fill(found: "re.Match[str]", keep: int = keep, nasty: str = nasty) -> str:
                return server.base.rpartition("/")[2] if found[1] == "key" and keep else quote(nasty, safe="%" if "%2f" in nasty else "/")

            query = "&".join(f"{name}={quote(chance.choice((nasty, *NASTY)))}" for name in names)
            path = re.sub(r"\{(\w+)(?::\w+)?\}", fill, pattern) + (f"?{query}" if query else "")
            for method in sorted(route.methods or {"GET"}):
                answer = server.ask(path, method, Cookie=server.cookie, Origin=server.origin)
                body = answer.read().decode("utf-8", "replace")
                statuses[answer.status] = statuses.get(answer.status, 0) + 1
                assert answer.status < 500, (method, path, answer.status, body[:500])
                assert SECRET not in body and "root:x:" not in body, path
    assert statuses.get(404, 0) + statuses.get(403, 0) > 100, statuses
    assert contents(root) == before, "something was written"
    assert "Traceback" not in server.log.read_text()
