"""The workbench's verbs for a terminal: `collector run`, `collector watch` and the others.

What goes to stdout is what was asked for; everything else, errors included, goes to stderr.
Exit codes: 0 completed, 1 error, 2 bad usage, 3 paused, 4 cancelled, 130 left at once.
Verbs import what they need when they are called, so that `collector --help` answers at once.
"""

from __future__ import annotations

from collector.cli.entry import app, main

__all__ = ["app", "main"]
