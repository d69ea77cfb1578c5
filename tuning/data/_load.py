"""Reading back the transform of a fold, whichever kind it is."""

from __future__ import annotations

from pathlib import Path

from tuning.data._prepared import Transform
from tuning.data._transform import TableTransform


def load_transform(folder: Path) -> Transform:
    """Read what `Transform.save` wrote.

    Raises:
        CheckpointError: the folder is incomplete or damaged, or holds types that are not expected.
    """
    return TableTransform.load(folder)
