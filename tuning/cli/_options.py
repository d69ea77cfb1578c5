"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_STORAGE = Path("studies")

Storage = Annotated[
    Path, typer.Option("--storage", metavar="DIR", help="Folder that holds the study folders.")
]
StudyName = Annotated[str, typer.Argument(metavar="NAME", help="The study; 'tuning list' shows them.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
