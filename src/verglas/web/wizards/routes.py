"""/look: what a wizard shows. The answer is computed in another process; a browser that goes away ends it."""

import asyncio
import threading
from typing import Any

from fastapi import APIRouter, HTTPException, Request

from verglas.errors import VerglasError
from verglas.web.data.answers import Answers, InProject
from verglas.web.watch import watch
from verglas.web.wizards.asked import Asked, checked, in_words
from verglas.web.wizards.pool import POOL, Left

router = APIRouter(route_class=Answers)
TICK = 0.1


@router.post("/look")
async def look(project: InProject, asked: Asked, request: Request) -> dict[str, Any]:
    """Of the form as it is now; what is wrong is said in the words of the form."""
    left, loop = threading.Event(), asyncio.get_running_loop()

    def work() -> dict[str, Any]:
        try:
            question = checked(project, watch(project).now().pipeline, asked)
            return POOL.ask(str(project.root), question.model_dump(), left)
        except HTTPException as error:
            raise HTTPException(error.status_code, in_words(asked.job, str(error.detail))) from error
        except VerglasError as error:
            raise HTTPException(422, in_words(asked.job, str(error))) from error
        finally:
            POOL.leave()

    POOL.enter()
    task = loop.run_in_executor(POOL.threads, work)
    while not (await asyncio.wait({task}, timeout=TICK))[0]:
        if not left.is_set() and await request.is_disconnected():
            left.set()
    try:
        return task.result()
    except Left:
        raise HTTPException(499, "Nobody waits for this any more.") from None
