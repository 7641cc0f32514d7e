"""Many open pages on a large project: processor, memory and answers of the server, at rest and while jobs come and go.

    python bench/pages.py [--jobs 10000] [--pages 50] [--project DIR]     (a project of one's own is changed: take a copy)
"""

import argparse
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from verglas.jobs.folder import MARKERS
from verglas.testing.page_client import PageClient, enter
from web import large_project, start

REST = 15.0
KINDS = ("", "", "/graph", "/job/{job}", "/new/refine3d")
"""Of every five pages."""


def watched(process: psutil.Process, origin: str, cookie: str, base: str) -> str:
    """Share of a core, seconds of one more page, and memory, over some seconds."""
    begun, before = time.monotonic(), sum(process.cpu_times()[:2])
    answers = []
    while time.monotonic() - begun < REST:
        first = time.monotonic()
        PageClient(origin, cookie, base)
        answers.append(time.monotonic() - first)
        time.sleep(REST / 6)
    used = sum(process.cpu_times()[:2]) - before
    return (f"{100 * used / (time.monotonic() - begun):.0f} % of a core, a page {statistics.median(answers):.2f} s (worst {max(answers):.2f}), "
            f"{process.memory_info().rss / 2**20:.0f} MiB")


def come_and_go(root: Path, end: threading.Event) -> None:
    """Each second the last two jobs end in some way, as their folders tell it."""
    folders = sorted((root / "Refine3D").iterdir(), key=lambda path: int(path.name[3:]))[-2:]
    while not end.wait(1.0):
        for folder in folders:
            wanted = random.choice(list(MARKERS.values()))
            next(folder.glob("RELION_JOB_EXIT_*")).rename(folder / wanted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10000)
    parser.add_argument("--pages", type=int, default=50)
    parser.add_argument("--project", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = given.project or Path(folder) / "project"
        if given.project is None:
            large_project(root, given.jobs)
        started, address, token, _ = start(root, Path(folder))
        clients: list[PageClient] = []
        end = threading.Event()
        try:
            origin, base = address[: address.index("/p/")], address[address.index("/p/") :]
            cookie = enter(origin, token)
            process = psutil.Process(started.pid)
            time.sleep(5)
            print(f"load of the machine {os.getloadavg()[0]:.1f}; no page: {watched(process, origin, cookie, base)}", flush=True)
            for number in range(given.pages):
                clients.append(PageClient(origin, cookie, base + KINDS[number % len(KINDS)].format(job="Refine3D/job005")).open())
                threading.Thread(target=_listen, args=(clients[-1], end), daemon=True).start()
            time.sleep(3)
            print(f"{given.pages} pages at rest: {watched(process, origin, cookie, base)}", flush=True)
            changing = threading.Thread(target=come_and_go, args=(root, end))
            changing.start()
            print(f"{given.pages} pages, two jobs change each second: {watched(process, origin, cookie, base)}", flush=True)
            end.set()
            changing.join()
            print(f"load {os.getloadavg()[0]:.1f}; {sum(one.received for one in clients) / given.pages / 1e3:.0f} kB came to each page")
        finally:
            end.set()
            for one in clients:
                one.close()
            started.terminate()


def _listen(client: PageClient, end: threading.Event) -> None:
    while not end.is_set() and client.listen(1.0):
        pass


if __name__ == "__main__":
    sys.exit(main())
