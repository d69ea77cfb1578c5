"""What shows a study's progress."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from tuning.progress._snapshot import Snapshot


class View(ABC):
    """Shows a running study: `start` once, `update` as often as one likes, `stop` at the end."""

    @abstractmethod
    def start(self, headline: Sequence[str]) -> None:
        """Show what is being run, a line each."""

    @abstractmethod
    def update(self, snapshot: Snapshot) -> None:
        """Show where the study stands; cheap, because most calls show nothing."""

    @abstractmethod
    def note(self, text: str) -> None:
        """Show a message at once."""

    @abstractmethod
    def stop(self) -> None:
        """Show the latest snapshot and let go of the terminal; more calls do nothing."""


class NullView(View):
    """Shows nothing."""

    def start(self, headline: Sequence[str]) -> None:
        """Nothing."""

    def update(self, snapshot: Snapshot) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""
