"""The console that tables are printed on."""

from __future__ import annotations

import shutil

from rich.console import Console


def make_console(width: int) -> Console:
    """Return a console on stdout, as wide as the terminal.

    Args:
        width: columns of a file or a pipe, which have none of their own.
    """
    console = Console()
    if not console.is_terminal:
        return Console(width=max(console.width, width))
    # For a dumb terminal rich takes 80 columns, whatever it has.
    return Console(width=shutil.get_terminal_size().columns) if console.is_dumb_terminal else console
