"""The file that predictions are written to: whole or not at all, and never over the rows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tuning.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".csv", ".parquet", ".jsonl")


def check_output(output: Path, sources: Iterable[Path]) -> None:
    """Refuse a place that cannot be written to, before anything is predicted.

    Args:
        output: the file to write.
        sources: files that are still needed.

    Raises:
        InputError: there is no such folder or format, or it is one of the sources.
    """
    if not output.absolute().parent.is_dir():
        raise InputError(f"-o {output}: there is no folder {output.absolute().parent}.")
    if output.suffix.lower() not in ENDINGS:
        raise InputError(f"-o {output}: the ending {output.suffix!r} is none of {', '.join(ENDINGS)}.")
    for source in sources:
        if source.resolve() == output.resolve():
            raise InputError(
                f"-o {output}: predictions would take the place of the rows in that file: name another one, "
                f"as -o {output.with_stem(f'{output.stem}-predictions')}."
            )


def write_output(frame: pd.DataFrame, output: Path) -> None:
    """Write a frame in the format of the file's ending; a file of before stays until this one is whole.

    Raises:
        InputError: the folder cannot be written to, or Parquet has no type for a column.
    """
    draft = output.with_name(f".{output.stem}.draft{output.suffix}")
    try:
        _write(frame, draft)
        draft.replace(output.resolve())
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise InputError(f"-o {output}: it cannot be written ({error.strerror or error}).") from error
    except (ValueError, TypeError, NotImplementedError) as error:  # pyarrow's derive from these
        draft.unlink(missing_ok=True)
        reason = " ".join(str(part) for part in error.args).rstrip(".")
        raise InputError(
            f"-o {output}: it cannot be written as {output.suffix[1:]} ({reason}): use "
            f"{output.with_suffix('.csv')}."
        ) from error


def _write(frame: pd.DataFrame, path: Path) -> None:
    match path.suffix.lower():
        case ".csv":
            frame.to_csv(path, index=False)
        case ".parquet":
            frame.to_parquet(path, index=False)
        case _:
            frame.to_json(path, orient="records", lines=True, date_format="iso")
