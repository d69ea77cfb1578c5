"""Keeping the fitted transforms, without a wait for the libraries that it takes."""

from __future__ import annotations

import logging
import threading

from tuning.errors import TuningError
from tuning.study._bundle import save_transforms
from tuning.study._setup import PreparedStudy

logger = logging.getLogger(__name__)


class TransformsSaving:
    """Saves the transforms in a thread while the workers start: it loads libraries for seconds, as they do.

    Not earlier: only a running session takes a signal without raising, and an exception in the middle of an
    import leaves Python's import lock held, for which the thread would wait for ever.
    """

    def __init__(self, study: PreparedStudy) -> None:
        self._study = study
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Begin, the first time."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._try, daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Wait until all are saved.

        Raises:
            OSError, StorageError: they could not be.
        """
        if self._thread is not None:
            self._thread.join()
        save_transforms(self._study)

    def _try(self) -> None:
        try:
            save_transforms(self._study)
        except (OSError, TuningError) as error:
            logger.debug("The transforms are saved at the end: %s", error)
