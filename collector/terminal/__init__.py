"""A run in a terminal: a live picture where there is one, plain lines where there is none.

Shows the same view and sentences as the panel. Knows a run only as a feed of progress and
activity entries. Text from pages reaches the terminal through the panel's `printable` alone, for
an escape sequence in a title must not move the cursor, and never as markup.
"""

from __future__ import annotations

from collector.terminal.picture import line_of, picture, status_line
from collector.terminal.showing import RunFeed, print_line, shown

__all__ = ["RunFeed", "line_of", "picture", "print_line", "shown", "status_line"]
