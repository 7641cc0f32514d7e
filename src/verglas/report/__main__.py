"""python -m verglas.report JOBDIR [OUT.html]: (re)write the report of a job folder."""

import argparse
import os
import sys
from pathlib import Path

from verglas.errors import VerglasError
from verglas.report.build import build_report


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 2 with a message when the folder cannot be reported."""
    parser = argparse.ArgumentParser(prog="python -m verglas.report", description="Write the report of a job folder.")
    parser.add_argument("job_dir", type=Path)
    parser.add_argument("out", type=Path, nargs="?", help="default: JOBDIR/report.html")
    parser.add_argument("--nice", action="store_true", help="give way to other processes")
    options = parser.parse_args(arguments)
    if options.nice and hasattr(os, "nice"):
        os.nice(10)
    try:
        print(build_report(options.job_dir, options.out))
    except VerglasError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
