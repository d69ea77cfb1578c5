"""Progress in a terminal: a few lines that stay in place."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.live import Live
from rich.text import Text

from tuning.progress._panel import render
from tuning.progress._snapshot import Snapshot
from tuning.progress._view import View

_MAX_FAMILIES = 10
# Two of them are long, and take a second line in a narrow terminal.
_LINES_AROUND_FAMILIES = 10


class LiveView(View):
    """Redraws a bar, a table of the families and a footer, at most four times a second.

    Nothing is drawn between updates (no thread), and messages appear above.

    Args:
        console: where to; None: stderr.
        interval_s: least time between two drawings.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        console: Console | None = None,
        interval_s: float = 0.25,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = Console(stderr=True) if console is None else console
        self._interval_s = interval_s
        self._clock = clock
        self._next_s = float("-inf")
        self._latest: Snapshot | None = None
        self._live: Live | None = None

    def start(self, headline: Sequence[str]) -> None:
        for line in headline:
            self._console.print(Text(line))
        # stdout carries data and is never redirected to the terminal's error stream.
        self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False)
        self._live.start()

    def update(self, snapshot: Snapshot) -> None:
        self._latest = snapshot
        now_s = self._clock()
        if now_s < self._next_s or self._live is None:
            return
        self._next_s = now_s + self._interval_s
        self._draw(self._live, snapshot, is_final=False)

    def note(self, text: str) -> None:
        self._console.print(Text(text))

    def stop(self) -> None:
        live, self._live = self._live, None
        if live is None:
            return
        if self._latest is not None:
            self._draw(live, self._latest, is_final=True)
        live.stop()

    def _draw(self, live: Live, snapshot: Snapshot, *, is_final: bool) -> None:
        room = max(1, min(_MAX_FAMILIES, self._console.height - _LINES_AROUND_FAMILIES))
        drawing = render(snapshot, max_families=room, is_final=is_final, width=self._console.width)
        live.update(drawing, refresh=True)
