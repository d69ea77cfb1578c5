"""Settings that messages offer, as they are to be typed in a shell."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence

_NO_VALUES = frozenset({"~", "null"})  # that YAML reads where one of them stands alone


def setting(key: str, value: object) -> str:
    """Return the option that sets an entry of the study file.

    >>> setting("split.column", "my split")
    "--set 'split.column=my split'"
    """
    return f"--set {shlex.quote(f'{key}={value}')}"


def missing_words(words: Iterable[str]) -> str:
    """Return the option that reads words as missing; a list of one, as YAML takes `null` alone for no value.

    >>> missing_words(["NA", "None"]), missing_words(["null"])
    ('--set data.missing=NA,None', "--set 'data.missing=[null]'")
    """
    names = sorted(set(words))
    if any("," in name for name in names):
        return setting("data.missing", json.dumps(names, ensure_ascii=False))
    text = ",".join(names)
    return setting("data.missing", f"[{text}]" if text.casefold() in _NO_VALUES else text)


def listing(option: str, key: str, names: Sequence[str]) -> str:
    """Return the option that gives columns; a name that holds a comma stands in quotes in a list.

    >>> listing("--series", "data.series", ["store", "item id"])
    "--series 'store,item id'"
    """
    if any("," in name for name in names):
        return setting(key, json.dumps(list(names), ensure_ascii=False))  # JSON is YAML as well
    return f"{option} {shlex.quote(','.join(names))}"
