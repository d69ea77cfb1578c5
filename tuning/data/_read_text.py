"""The cells of a delimited file, all as text: what they are is learnt later, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from tuning.data._missing import TEXT

_QUOTE_AFTER_SPACE = r"^\s+\""


def read_text(
    path: Path, file: IO[bytes], names: Sequence[str], delimiter: str, encoding: str
) -> pd.DataFrame:
    """All columns as stripped text, empty cells missing.

    Args:
        path: the file.
        file: the file, open and uncompressed.
        names: of its columns, one for each field of the first row that is not empty.
        delimiter: one character between fields.
        encoding: of the text.

    Raises:
        ValueError: a row has more fields than the first one, or a quote is not closed.
        OSError, UnicodeError: the file cannot be read.
    """
    table = _fast(file, len(names), delimiter, encoding)
    columns = [] if table is None else list(map(_stripped, table.columns))
    if not columns or any(column is None for column in columns):
        return _slow(path, delimiter, encoding)
    arrays = {place: pd.array(column, dtype=TEXT) for place, column in enumerate(columns)}
    return pd.DataFrame(arrays, copy=False).set_axis(list(names), axis=1)


def _fast(file: IO[bytes], n_columns: int, delimiter: str, encoding: str) -> pa.Table | None:
    """The rows after the header; None where the file is not as regular as this reader wants it."""
    every = {f"f{place}": pa.string() for place in range(n_columns)}
    try:
        table = pa.csv.read_csv(
            file,
            pa.csv.ReadOptions(autogenerate_column_names=True, encoding=encoding),
            pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            pa.csv.ConvertOptions(column_types=every, strings_can_be_null=False),
        )
    except pa.ArrowInvalid:
        return None
    return table.slice(1) if table.num_columns == n_columns else None


def _stripped(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """The text without spaces around it, None for what is empty; none where a quote follows a space."""
    text = pc.utf8_trim_whitespace(column)
    lengths = pc.binary_length(text)
    if pc.sum(lengths) != pc.sum(pc.binary_length(column)) and _has_quote_after_space(column):
        return None
    empty = pc.equal(lengths, 0)
    return pc.if_else(empty, None, text) if pc.any(empty).as_py() else text


def _has_quote_after_space(column: pa.ChunkedArray) -> bool:
    return bool(pc.any(pc.match_substring_regex(column, _QUOTE_AFTER_SPACE)).as_py())


def _slow(path: Path, delimiter: str, encoding: str) -> pd.DataFrame:
    frame: Any = pd.read_csv(
        path,
        sep=delimiter,
        encoding=encoding,
        index_col=False,
        dtype=TEXT,
        keep_default_na=False,
        na_values=[""],
        skipinitialspace=True,
        low_memory=False,
    )
    return frame.apply(_trimmed)


def _trimmed(column: pd.Series[Any]) -> pd.Series[Any]:
    text = column.astype(TEXT).str.strip()
    return text.mask(text == "")
