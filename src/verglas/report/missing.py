"""What a folder lacks becomes a sentence, not a crash."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from verglas.errors import VerglasError

T = TypeVar("T")


@dataclass
class Missing:
    """Collects what a folder lacks while it is being read."""

    sentences: list[str] = field(default_factory=list)

    def attempt(self, what: str, read: Callable[[], T]) -> T | None:
        """read(), or None and a sentence when the file is broken, incomplete or just being replaced."""
        try:
            return read()
        except (VerglasError, OSError, ValueError, KeyError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            self.sentences.append(f"{what} could not be read: {reason}")
            return None
