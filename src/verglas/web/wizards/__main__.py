"""The process that looks: questions as lines of JSON on stdin, answers on stdout. Ends with its server, or when nothing was asked for a while.

It is a process of its own because pictures take seconds of computing and libraries that the server itself never loads.
"""

import json
import os
import select
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from fastapi import HTTPException

from verglas.api.project import Project
from verglas.errors import VerglasError
from verglas.web.wizards.asked import Asked

IDLE = 300.0
"""Seconds without a question after which it ends."""
THREADS = 4


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    os.nice(5)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    _prepare()
    lines = sys.stdin
    while select.select([lines], [], [], IDLE)[0]:
        line = lines.readline()
        if not line:
            return
        _say(answers, _answer(json.loads(line)))


def _end_with(server: int) -> None:
    """In the middle of a look too, when the server was killed."""
    while os.getppid() == server:
        time.sleep(1.0)
    os._exit(0)


def _prepare() -> None:
    import torch

    torch.set_num_threads(min(THREADS, os.cpu_count() or 1))


def _answer(question: dict[str, Any]) -> dict[str, Any]:
    """{"found": ...} or {"status": 4xx, "detail": text}."""
    asked = Asked.model_validate(question["asked"])
    project = Project(Path(question["root"]), read_only=True)
    os.chdir(project.root)
    begun = time.monotonic()
    try:
        found = import_module(f"verglas.web.wizards.{asked.wizard}").look(project, asked)
        return {"found": found | {"seconds": round(time.monotonic() - begun, 3)}}
    except HTTPException as error:
        return {"status": error.status_code, "detail": error.detail}
    except VerglasError as error:
        return {"status": 422, "detail": str(error).replace(f"{project.root}{os.sep}", "")}
    except MemoryError:
        return {"status": 422, "detail": "There is not enough memory to look at this."}
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return {"status": 422, "detail": f"It cannot be looked at ({type(error).__name__}: {error})."}


def _say(answers: TextIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer, allow_nan=False) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
