"""Turning a validation failure into one sentence: place, rule, value, valid choices."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

from pydantic import BaseModel, ValidationError

_MOST_LISTED = 12
_TYPES = "'float', 'int', 'categorical'"


def closest(word: str, known: Iterable[str]) -> str:
    """A clause that offers the nearest known word, else the list of them.

    >>> closest("learning_rte", ["learning_rate", "depth"])
    '; did you mean learning_rate?'
    >>> closest("x", ["learning_rate", "depth"])
    '; choose from depth, learning_rate'
    """
    names = sorted(known)
    near = difflib.get_close_matches(str(word), names, n=2, cutoff=0.6)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    listed = ", ".join(names[:_MOST_LISTED]) + (", ..." if len(names) > _MOST_LISTED else "")
    return f"; choose from {listed}" if names else ""


def full_stop(sentence: str) -> str:
    """The sentence with a full stop, unless it ends in a mark of its own.

    >>> full_stop("There is no x; did you mean y?"), full_stop("There is no x")
    ('There is no x; did you mean y?', 'There is no x.')
    """
    return sentence if sentence.endswith(("?", ".")) else f"{sentence}."


def explain(
    error: ValidationError,
    place: str,
    model: type[BaseModel],
    given_by: Mapping[str, str] = types.MappingProxyType({}),
) -> str:
    """One sentence on the first problem in `error`; further problems are counted.

    Args:
        error: what pydantic raised.
        place: file or section that holds the value; empty for options alone.
        model: the model that refused it, to offer its field names.
        given_by: dotted key -> the option that its value came from.
    """
    problems = error.errors(include_url=False)
    # A misspelt key is the cause of the key that is missing in its stead.
    first = min(problems, key=lambda problem: problem["type"] != "extra_forbidden")
    key = [str(part) for part in first["loc"] if not _is_tag(part, first)]
    sentence = full_stop(f"{where(key, place, given_by)}: {_rule(first, model)}")
    more = len(problems) - 1
    rest = f" (and {more} more problem{'s' if more > 1 else ''})" if more else ""
    return sentence[:-1] + rest + sentence[-1]


def where(key: Sequence[str], place: str, given_by: Mapping[str, str]) -> str:
    """What the user calls a key: the option that it came from, or its path in the file.

    >>> where(["data", "season"], "study.yaml", {}), where(["data", "season"], "", {})
    ('study.yaml.data.season', 'data.season')
    >>> where(["data", "season"], "study.yaml", {"data.season": "--season"})
    '--season'
    """
    for length in range(len(key), 0, -1):
        option = given_by.get(".".join(key[:length]))
        if option is not None:
            return ".".join([option, *key[length:]])
    return ".".join(filter(None, (place, *key))) or "The study"


def _is_tag(part: Any, problem: Any) -> bool:
    """Whether a part of the location is pydantic's own rather than a key of the file."""
    if problem["type"] == "extra_forbidden" and part == problem["loc"][-1]:
        return False
    return part in ("float", "int", "categorical", "[key]")


def _rule(problem: Any, model: type[BaseModel]) -> str:
    kind, value = problem["type"], problem["input"]
    if kind == "extra_forbidden":
        return f"there is no such key{closest(str(problem['loc'][-1]), _fields_at(model, problem['loc']))}"
    if kind == "missing":
        return "this key is required"
    if kind == "value_error":
        return str(problem["ctx"]["error"])
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return f"type must be one of {problem['ctx'].get('expected_tags', _TYPES)}, not {_type_of(value)}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"this is a section of keys and values, not {value!r}"
    if kind == "too_short":
        return f"give at least {problem['ctx']['min_length']}, not {value!r}"
    text = problem["msg"][0].lower() + problem["msg"][1:]
    return f"{text}, not {value!r}"


def _type_of(value: Any) -> str:
    return repr(value["type"]) if "type" in value else "left out"


def _fields_at(model: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    """Field names of the nested model that the location's last key was looked up in."""
    current: Any = model
    for part in location[:-1]:
        current = _step(current, part)
    return list(current.model_fields) if _is_model(current) else []


def _step(current: Any, part: Any) -> Any:
    if typing.get_origin(current) is dict:
        return typing.get_args(current)[1]
    if not _is_model(current):
        return _inner(current, part)
    field = current.model_fields.get(part)
    return None if field is None else _inner(field.annotation, None)


def _inner(annotation: Any, tag: Any) -> Any:
    """The model inside `annotation`: of an optional or a tagged union; a mapping stays one."""
    if _is_model(annotation) or annotation is None:
        return annotation
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is dict:
        return annotation
    if origin is typing.Annotated:
        return _inner(arguments[0], tag)
    if origin in (typing.Union, types.UnionType):
        models = [argument for argument in arguments if _is_model(argument)]
        tagged = [
            m for m in models if tag in typing.get_args(m.model_fields.get("type", _NoField).annotation)
        ]
        return (tagged or models or [None])[0]
    return None


class _NoField:
    annotation = None


def _is_model(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel) and not issubclass(value, Enum)
