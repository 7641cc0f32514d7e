"""python -m verglas."""

from verglas.cli.main import main

main()
