"""What kind of value each entry of a study's configuration takes, read off its sections."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import BaseModel

from tuning.config._study import StudyConfig

ROLES = "data.roles."
"""Entries whose last part is the name of a column, which may hold dots itself."""


@cache
def text_keys() -> frozenset[str]:
    """Return the dotted keys of entries that are text alone."""
    return frozenset(key for key, choices in _entries(StudyConfig) if choices <= {str, type(None)})


@cache
def list_keys() -> frozenset[str]:
    """Return the dotted keys of entries that are lists of text."""
    return frozenset(key for key, choices in _entries(StudyConfig) if tuple in choices)


@cache
def boolean_keys() -> frozenset[str]:
    """Return the dotted keys of entries that may be true or false."""
    return frozenset(key for key, choices in _entries(StudyConfig) if bool in choices)


def _entries(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, set[Any]]]:
    for name, field in model.model_fields.items():
        choices = set(_choices(field.annotation))
        section = next((one for one in choices if isinstance(one, type) and issubclass(one, BaseModel)), None)
        if section is not None:
            yield from _entries(section, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", choices


def _choices(annotation: Any) -> Iterator[Any]:
    """The types that a value may have; of a list, `tuple` where its members are text."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        yield from _choices(arguments[0])
    elif origin in (typing.Union, types.UnionType):
        for argument in arguments:
            yield from _choices(argument)
    elif origin is tuple:
        yield tuple if set(_choices(arguments[0])) == {str} else annotation
    else:
        yield annotation
