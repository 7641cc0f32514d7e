"""How this very verglas is started again, from the project's folder."""

import os
import sys
from pathlib import Path

PROGRAM = (sys.executable, "-m", "verglas")


def environment() -> dict[str, str]:
    """Ours, with a search path that means the same in another folder."""
    path = os.environ.get("PYTHONPATH")
    return dict(os.environ) | ({"PYTHONPATH": os.pathsep.join(str(Path(one).absolute()) for one in path.split(os.pathsep))} if path else {})
