"""A terminal for the tests: commands run on a pseudo-terminal, and the screen that they leave is read."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

import pyte

CTRL_C = b"\x03"
ESCAPE = re.compile(r"\x1b")
_SCROLLBACK = 5_000


class Terminal:
    """A command in a terminal of its own, as a person sees it.

    Args:
        command: the words of the command.
        folder: where it is typed.
        columns: width of the terminal.
        lines: height of the terminal.
        term: what the terminal says that it is, `dumb` for one without a cursor.
        stdout: file that stdout is sent to; None: the terminal.
        environment: variables besides those of this process.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        columns: int = 100,
        lines: int = 30,
        term: str = "xterm-256color",
        stdout: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._screen = pyte.HistoryScreen(columns, lines, history=_SCROLLBACK, ratio=0.5)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self._raw = bytearray()
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        variables = {**os.environ, "TERM": term, **(environment or {})}
        # Tests run with variables that a person's shell does not have.
        for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "PYTEST_CURRENT_TEST"):
            variables.pop(name, None)
        with contextlib.ExitStack() as stack:
            out = slave if stdout is None else stack.enter_context(stdout.open("wb"))
            self.process = subprocess.Popen(
                command, cwd=folder, stdin=slave, stdout=out, stderr=slave, env=variables,
                start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            )  # fmt: skip
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(5)
        os.close(self._master)

    def press(self, keys: bytes) -> None:
        """Type keys; Ctrl-C reaches every process in the foreground, as in any terminal."""
        os.write(self._master, keys)

    def wait(self, timeout_s: float = 120) -> int:
        """Wait for the end of the command; returns its exit code."""
        code = self.process.wait(timeout_s)
        self._reader.join(5)
        return code

    def wait_until(self, is_met: Callable[[], bool], timeout_s: float = 90) -> None:
        """Wait for something to happen while the command runs."""
        deadline_s = time.monotonic() + timeout_s
        while not is_met():
            assert self.process.poll() is None, self.text
            assert time.monotonic() < deadline_s, self.text
            time.sleep(0.02)

    def wait_for(self, text: str, timeout_s: float = 90) -> None:
        """Wait for text on the screen."""
        self.wait_until(lambda: text in self.text, timeout_s)

    @property
    def raw(self) -> bytes:
        """All that was written to the terminal."""
        with self._lock:
            return bytes(self._raw)

    @property
    def rows(self) -> list[str]:
        """The lines that are left, those that were scrolled away included."""
        with self._lock:
            columns = range(self._screen.columns)
            above = ["".join(row[k].data for k in columns).rstrip() for row in self._screen.history.top]
            return [*above, *(row.rstrip() for row in self._screen.display)]

    @property
    def text(self) -> str:
        """What is left on the screen and above it."""
        return "\n".join(self.rows).rstrip()

    def _read(self) -> None:
        while True:
            try:
                read = os.read(self._master, 65536)
            except OSError:  # Linux says EIO when nobody has the terminal open any more.
                return
            if not read:
                return
            with self._lock:
                self._raw += read
                self._stream.feed(read)
