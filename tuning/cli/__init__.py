"""The command line: `tuning run`, `resume`, `leaderboard`, `predict`, `audit` and what looks around."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuning.cli._loading import interruptible

if TYPE_CHECKING:
    from tuning.cli._app import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; wrong input is one sentence on stderr and exit code 2."""
    with interruptible():
        from tuning.cli._app import run
    run()


def __getattr__(name: str) -> object:
    """Import the commands when they are asked for: until then, a Ctrl-C is not heard."""
    if name == "app":
        from tuning.cli._app import app

        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
