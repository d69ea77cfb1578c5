"""Reading a study file and command-line settings into a validated `StudyConfig`."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from pydantic import ValidationError

from tuning.config._kinds import ROLES, boolean_keys, list_keys, text_keys
from tuning.config._study import StudyConfig
from tuning.config.explain import explain, where
from tuning.errors import ConfigError

_NO_VALUES = frozenset({"", "~", "null"})


def read_study_file(path: Path) -> dict[str, Any]:
    """The raw settings of a study file; a section without entries counts as left out.

    Raises:
        ConfigError: no such file, not YAML, or not a mapping.
    """
    if not path.is_file():
        raise ConfigError(f"There is no study file {path}: give a YAML file, or --data and --target.")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} must hold keys and values such as 'metric: rmse', not {raw!r}.")
    return {key: value for key, value in raw.items() if value is not None}


def set_entry(raw: dict[str, Any], key: str | Sequence[str], value: Any) -> None:
    """Set an entry of nested sections in place; sections that are missing or empty are made.

    Args:
        raw: the sections.
        key: dotted, or its parts where a name holds a dot itself.
        value: of the entry.

    Raises:
        ConfigError: the key goes through a value.

    >>> raw = {"search": None}
    >>> set_entry(raw, "search.trials", 5)
    >>> set_entry(raw, ("data", "roles", "a.b"), "drop")
    >>> raw
    {'search': {'trials': 5}, 'data': {'roles': {'a.b': 'drop'}}}
    """
    *path, last = key.split(".") if isinstance(key, str) else key
    section = raw
    for part in path:
        if section.get(part) is None:  # An empty section of a file reads as null.
            section[part] = {}
        section = section[part]
        if not isinstance(section, dict):
            raise ConfigError(f"{'.'.join([*path, last])}: {part} is a value, not a section.")
    section[last] = value


def apply_settings(raw: Mapping[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """`raw` with `key.path=value` settings applied on top.

    Values are read as YAML, but those of entries that are text as they stand, as a shell leaves no quotes:
    a column may be called `on` or `2024`. A name of a column in `data.roles` may hold dots.

    Raises:
        ConfigError: a setting without `=`, a value that is not YAML, or a path that goes through a value.

    >>> apply_settings({"metric": "rmse"}, ["search.trials=5", "metric=mae"])
    {'metric': 'mae', 'search': {'trials': 5}}
    """
    result = copy.deepcopy(dict(raw))
    for setting in settings:
        # No role has an equals sign, but a column may.
        cut = setting.rpartition if setting.startswith(ROLES) else setting.partition
        key, equals, text = cut("=")
        if not equals or not key:
            raise ConfigError(f"--set {setting}: write key.path=value, as in --set search.trials=50.")
        try:
            set_entry(result, _path(key), _value(setting, key, text))
        except ConfigError as error:
            raise ConfigError(f"--set {error}") from error
    return result


def _path(key: str) -> str | Sequence[str]:
    return (*ROLES.rstrip(".").split("."), key.removeprefix(ROLES)) if key.startswith(ROLES) else key


def _value(setting: str, key: str, text: str) -> Any:
    is_quoted = text[:1] in ("'", '"')
    if key in list_keys() and text.startswith("["):
        return _parse(setting, text, yaml.BaseLoader)  # all members as text
    if is_quoted or text.casefold() in _NO_VALUES or key not in text_keys() | list_keys():
        return _parse(setting, text)
    return text


def _parse(setting: str, text: str, loader: type[Any] = yaml.SafeLoader) -> Any:
    try:
        return yaml.load(text, Loader=loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{setting}: the value is not valid YAML; quote it.") from error


def validate_config(
    raw: Mapping[str, Any], place: str, given_by: Mapping[str, str] = MappingProxyType({})
) -> StudyConfig:
    """The validated configuration.

    Args:
        raw: the sections.
        place: where they come from, for messages; empty for options alone.
        given_by: dotted key -> the option that its value came from, for messages.

    Raises:
        ConfigError: one sentence with place, key, rule, value and valid choices.
    """
    _refuse_booleans(raw, place, given_by)
    try:
        return StudyConfig.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(explain(error, place, StudyConfig, given_by)) from error


_FREE_SECTIONS = ("spaces.",)


def _refuse_booleans(raw: Mapping[str, Any], place: str, given_by: Mapping[str, str]) -> None:
    for key, value in _leaves(raw):
        if isinstance(value, bool) and not _is_boolean_key(key):
            raise ConfigError(
                f"{where(key.split('.'), place, given_by)}: this cannot be {value}; YAML reads a bare on, "
                "off, yes or no so: quote it."
            )


def _is_boolean_key(key: str) -> bool:
    return key in boolean_keys() or key.startswith(_FREE_SECTIONS)


def _leaves(raw: Mapping[Any, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in raw.items():
        if isinstance(key, bool):
            yield f"{prefix}<key>", key
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
