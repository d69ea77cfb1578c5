"""A notebook for the tests: cells run one after the other in a kernel of their own, whose event loop runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager


class Notebook:
    """Runs cells; what they show is told by stream.

    Args:
        client: connected to the kernel.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def run(self, cell: str, timeout_s: float = 150) -> dict[str, str]:
        """Run a cell; returns what it wrote to `stdout` and `stderr`, and its `result` as text.

        Raises:
            AssertionError: the cell raised.
        """
        shown = {"stdout": "", "stderr": "", "result": "", "error": ""}

        def hear(message: dict[str, Any]) -> None:
            content = message["content"]
            match message["msg_type"]:
                case "stream":
                    shown[content["name"]] += content["text"]
                case "execute_result" | "display_data":
                    shown["result"] += content["data"].get("text/plain", "")
                case "error":
                    shown["error"] += "\n".join(content["traceback"])

        self._client.execute_interactive(cell, timeout=timeout_s, output_hook=hear)
        assert not shown["error"], shown["error"]
        return shown


@contextmanager
def notebook(folder: Path) -> Iterator[Notebook]:
    """A notebook that lies in a folder, as Jupyter starts it."""
    kernel = KernelManager()
    kernel.start_kernel(cwd=str(folder))
    client = kernel.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=90)
        yield Notebook(client)
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)
