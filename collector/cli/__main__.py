"""`python -m collector.cli`: the same as `collector`."""

from collector.cli import main

main()
