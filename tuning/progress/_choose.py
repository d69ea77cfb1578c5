"""Which view fits where the output goes."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console

from tuning.progress._live import LiveView
from tuning.progress._plain import PlainView
from tuning.progress._view import NullView, View


def make_view(stream: TextIO | None = None, quiet: bool = False) -> View:
    """A live view for a terminal, lines for a file or a pipe, nothing when quiet.

    Args:
        stream: where to; None: stderr.
        quiet: show nothing.
    """
    if quiet:
        return NullView()
    stream = sys.stderr if stream is None else stream
    console = Console(file=stream)
    if stream.isatty() and not console.is_dumb_terminal:
        return LiveView(console)
    return PlainView(stream)
