"""A study's leaderboard and its file formats."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pydantic import TypeAdapter, ValidationError
from rich.table import Table

from tuning.errors import RecordError
from tuning.leaderboard._frame import to_frame
from tuning.leaderboard._rows import Ranking
from tuning.leaderboard._table import select_rows, to_markdown, to_table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Leaderboard(Ranking):
    """All trials of a study, and how they are written and shown."""

    def select(self, top: int | None = None, *, show_all: bool = False) -> Self:
        """The leaderboard with some of its rows.

        Args:
            top: number of ranked rows, to which the best of each family is added; None: all.
            show_all: unranked rows too.
        """
        return dataclasses.replace(self, rows=select_rows(self, top, show_all))

    def to_json(self) -> str:
        """The content of `leaderboard.json`: strict JSON, null for what is missing or not finite."""
        return json.dumps(dataclasses.asdict(self), indent=2, allow_nan=False, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote; unknown keys are passed over.

        Raises:
            RecordError: the text is not a leaderboard.
        """
        try:
            return TypeAdapter(cls).validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the text"
            raise RecordError(f"The leaderboard cannot be read: {place}: {first['msg']}.") from error

    def to_frame(self) -> pd.DataFrame:
        """One row a trial, nested values flattened as `metrics.valid.rmse` and `params.max_depth`.

        Columns are nullable (`Int64`, `Float64`, `boolean`), so that a hyperparameter which only some
        families have stays an integer.
        """
        return to_frame(self)

    def to_csv(self) -> str:
        """The content of `leaderboard.csv`: the rows of `to_frame` at full precision."""
        return self.to_frame().to_csv(index=False, lineterminator="\n")

    def to_markdown(self, top: int | None = None, *, show_all: bool = False) -> str:
        """A GitHub table of the ranked rows, and a line on what it leaves out.

        Args:
            top: number of ranked rows, to which the best of each family is added; None: all.
            show_all: unranked rows too.
        """
        return to_markdown(self, top, show_all)

    def table(self, top: int | None = None, show_all: bool = False, *, width: int | None = None) -> Table:
        """A table for the terminal.

        Args:
            top: number of ranked rows, to which the best of each family is added; None: all.
            show_all: unranked rows too.
            width: columns of the terminal; what has no room is left out by whole columns and named. None:
                hyperparameters and model names are cut.
        """
        return to_table(self, top, show_all, width)
