"""Whatever is said through the socket: nothing is written, nothing breaks, no traceback comes back."""

import json
import random
from typing import Any

import pytest

from verglas.api import open_project
from verglas.errors import InputError
from verglas.testing.page_client import PageClient

PAGES = ("", "/graph", "/new", "/new/mask", "/new/refine3d", "/job/Class2D/job002", "/job/MaskCreate/job003", "/trash",
         "/view/table?file=Import/job001/movies.star")
VALUES = (
    None, True, -1, 1e308, 10**400, "", "x", "a" * 50_000, "../../../etc/passwd", "/etc/passwd", "\0", "NaN", "<b>x</b>",
    [], {}, [[]], {"value": {"value": "x"}}, {"pagination": {"page": -1, "rowsPerPage": 10**9, "sortBy": "__class__", "descending": "x"}},
    {"pagination": {"page": "x", "rowsPerPage": None}}, {"pagination": [1]}, {"value": 10**6, "label": "x"}, [{"value": 1}] * 1000,
)
FRAMES = (
    "", "9", "4", "42", "42[]", "42[1]", '42["event"]', '42["event",null]', '42["event",{}]', '42["event",[1]]', '42["handshake",{}]', '42["ack",{}]',
    '42["ack",{"client_id":1,"next_message_id":"x"}]', '42["log",{}]', '42["javascript_response",{"client_id":"CLIENT","request_id":"x"}]',
    '42["log",{"client_id":"CLIENT","level":"x","message":"x"}]', '42["event",{"client_id":"CLIENT","id":"x","listener_id":1,"args":[]}]',
    '42["event",{"client_id":"CLIENT","id":4,"listener_id":"none","args":["1"]}]', '42["event",{"client_id":"CLIENT","id":4,"args":"["}]',
    '42["event",{"client_id":["x"],"id":{}}]', '42["no such event",1]', '42["connect",{}]',
    '42["disconnect"]', "42" + "[" * 50_000, "40{", "41", "44{}", "451-[]",
    '42{"a":1}', "43[]", "💥",
)


def client(server: Any, path: str = "") -> PageClient:
    return PageClient(server.origin, server.cookie, server.base + path).open()


def lives(server: Any) -> None:
    assert server.process.poll() is None
    again = client(server, "/graph")
    assert again.listen(0.2)
    again.close()


def test_events_with_any_values_change_nothing(looked_at: Any, contents: Any) -> None:
    server, root = looked_at
    before, chance, events = contents(root), random.Random(3), 0
    told = False
    for path in PAGES:
        one = client(server, path)
        for element, listener, _ in one.listeners():
            for value in (*chance.sample(VALUES, 2), VALUES[events % len(VALUES)]):
                one.event(element, listener, *([value] if events % 7 else [value, value]))
                events += 1
        assert one.listen(0.3), path
        said = "".join(one.said)
        assert "Traceback" not in said and 'File \\"' not in said and "root:x:" not in said, path
        told |= "This did not work" in said
        one.close()
    assert events > 200 and told, "what cannot be is said on the page in one line"
    lives(server)
    assert contents(root) == before


def test_reading_only_writes_nothing(looked_at: Any, contents: Any) -> None:
    """All pages and data with what is there; the list by date, for which times of all jobs are collected; a draft cannot be let go."""
    server, root = looked_at
    before = contents(root)
    data = ("table/head?file=Import/job001/movies.star", "table?file=Import/job001/movies.star", "volume/info?file=map.mrc")
    for path in (*PAGES, "/new/ctf", "/view/volume?file=map.mrc", "/job/Import/job001", "/report/Class2D/job002", *(f"/data/{one}" for one in data)):
        assert server.get(server.base + path).status < 500, path
    one = client(server)
    element, listener, _ = next(found for found in one.listeners() if found[2] == "request")
    one.event(element, listener, {"pagination": {"page": 1, "rowsPerPage": 25, "sortBy": "started", "descending": True}})
    assert one.listen(0.5)
    assert '"sortBy":"started"' in "".join(one.said)
    one.close()
    project = open_project(root, read_only=True)
    with pytest.raises(InputError, match="reading only"):
        project.job(3).go_on()
    assert contents(root) == before


def test_frames_that_are_none_end_at_most_their_own_socket(looked_at: Any, contents: Any) -> None:
    server, root = looked_at
    before, other = contents(root), client(server)
    for frame in FRAMES:
        one = client(server)
        one.raw(frame.replace("CLIENT", one.id))
        one.raw(b"\x00\xff" if frame == "9" else frame.replace("CLIENT", other.id))
        one.listen(0.1)
        assert "Traceback" not in "".join(one.said)
        one.close()
        assert other.listen(0.01), "the socket of another page"
    other.close()
    lives(server)
    assert contents(root) == before


def test_a_socket_takes_no_more_than_its_limit(looked_at: Any) -> None:
    from verglas.web.serve import SOCKET_LIMIT

    server, _ = looked_at
    one = client(server)
    one.emit("event", {"client_id": one.id, "id": 1, "listener_id": "x", "args": [json.dumps("a" * SOCKET_LIMIT)]})
    assert not one.listen(5), "it is closed"
    lives(server)


def test_a_socket_is_for_its_own_page(looked_at: Any) -> None:
    """The id of a page is not to be guessed; with a wrong one, or that of another tab, no page is taken over."""
    server, _ = looked_at
    mine = client(server)
    for wrong in ({"client_id": "0"}, {"client_id": mine.id, "tab_id": "another"}):
        other = PageClient(server.origin, server.cookie, server.base).open(**wrong)
        other.listen(0.2)
        assert any(text.startswith("44") for text in other.said), "it is refused"
        other.close()
    mine.close()


def test_no_upload_is_taken(looked_at: Any, contents: Any) -> None:
    server, root = looked_at
    before = contents(root)
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="../../x"\r\n\r\nx\r\n--x--\r\n'
    for path in ("/_nicegui/client/0/upload/1", "/_nicegui/upload/1", server.base):
        answer = server.ask(path, "POST", body, Cookie=server.cookie, Origin=server.origin, Content_Type="multipart/form-data; boundary=x",
                            Content_Length=str(len(body)))
        assert answer.status in (403, 404, 405), (path, answer.status)
    assert contents(root) == before
