"""Numbers as one reads them: times and sizes."""

from verglas.jobs import journal


def clock(seconds: float) -> str:
    """0:07, 12:30, 3:05:10, 2 d 4 h."""
    hours = round(seconds) // 3600
    return f"{hours // 24} d {hours % 24} h" if hours >= 48 else journal.clock(seconds)


def size(number: float) -> str:
    """12 kB, 3.4 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
