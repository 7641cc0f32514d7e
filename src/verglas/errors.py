"""The two ways a run can end early through no fault of the program.

Both carry one message for a person: where (file, block, row), what was found, what was expected, what to do.
The command line prints the message without a traceback and exits with `exit_code`.
"""


class VerglasError(Exception):
    """Base of the errors that are explained to the user instead of shown as a traceback."""

    exit_code = 2

    def __init__(self, found: str, *, where: str = "", remedy: str = "") -> None:
        """`found`: what is wrong, with the value and what was expected; `where`: file, block, row; `remedy`: what to do."""
        self.found, self.where, self.remedy = found, where, remedy
        super().__init__("\n".join(part for part in (f"{where}: {found}" if where else found, remedy and f"  -> {remedy}") if part))


class InputError(VerglasError):
    """What the user asked for cannot be done as asked: fix the input or the option."""


class DataError(VerglasError):
    """A file is broken (truncated, malformed, wrong type)."""
