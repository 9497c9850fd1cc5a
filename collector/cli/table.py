"""Tables in the terminal: plain columns, cut to a terminal's width, whole in a pipe."""

from __future__ import annotations

from typing import Final

from collector.cli.terms import console

GAP: Final = 2
LEAST_WIDTH: Final = 8


def print_table(
    headings: list[str], rows: list[list[str]], *, gives_way: int, numbers_from: int = 99
) -> None:
    """Print columns. In a terminal, column `gives_way` is cut so that a row keeps to one line.

    In a pipe nothing is cut: whoever reads it searches for whole words.
    """
    from rich.cells import cell_len, set_cell_size

    from collector.panel.sentences import printable

    lines = [headings, *([printable(cell) for cell in row] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    out = console()
    if out.is_terminal:
        excess = sum(widths) + GAP * (len(widths) - 1) - out.width
        widths[gives_way] = max(LEAST_WIDTH, widths[gives_way] - max(0, excess))
    for line in lines:
        cells = []
        for number, (cell, width) in enumerate(zip(line, widths, strict=True)):
            padding = " " * (width - cell_len(cell))
            if not padding and cell_len(cell) > width:
                cells.append(f"{set_cell_size(cell, width - 1)}…")
            else:
                cells.append(padding + cell if number >= numbers_from else cell + padding)
        print((" " * GAP).join(cells).rstrip())
