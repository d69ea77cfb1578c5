"""Reading back the transform of a fold, whichever kind it is."""

from __future__ import annotations

from pathlib import Path

from tuning.data._prepared import Transform
from tuning.data._transform import TableTransform
from tuning.data.series import STATE_FILE, SeriesTransform


def load_transform(folder: Path) -> Transform:
    """Read what `Transform.save` wrote.

    Raises:
        CheckpointError: the folder is incomplete or damaged, or holds types that are not expected.
    """
    if (folder / STATE_FILE).exists():
        return SeriesTransform.load(folder)
    return TableTransform.load(folder)
