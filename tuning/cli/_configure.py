"""Options and a study file, put together into the configuration of a study."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuning.cli._options import DEFAULT_STORAGE, OPTION_NAMES
from tuning.config import StudyConfig, apply_settings, read_study_file, set_entry, validate_config
from tuning.errors import ConfigError
from tuning.paths import from_home
from tuning.session import study_names


def configure(
    file: Path | None,
    options: Mapping[str, Any],
    roles: Mapping[str, str],
    settings: Sequence[str],
    choose_name: Callable[[Mapping[str, Any]], str] | None = None,
) -> StudyConfig:
    """The study of a study file and the options that override it; every path of the file made absolute.

    Args:
        file: the study file, None for options alone.
        options: dotted key -> value, as `OPTION_NAMES` has them.
        roles: column -> role.
        settings: of `--set`.
        choose_name: names a study that has no name; None: the first free name in its storage folder.

    Raises:
        ConfigError: one sentence with place, key, rule, value and valid choices.
    """
    raw = {} if file is None else read_study_file(file)
    if file is not None:
        _resolve_paths(raw, file.absolute().parent)
    for key, value in options.items():
        set_entry(raw, key, value)
    for column, role in roles.items():
        set_entry(raw, ("data", "roles", column), role)
    raw = apply_settings(raw, settings)
    _require_data(raw)
    if "name" not in raw:
        raw["name"] = (choose_name or FreeName())(raw)
    return validate_config(raw, str(file) if file else "", _given_by(options, settings))


def _given_by(options: Mapping[str, Any], settings: Sequence[str]) -> dict[str, str]:
    """Entry -> the option that it came from, as a message names it."""
    keys = (setting.partition("=")[0] for setting in settings)
    return {**{key: OPTION_NAMES[key] for key in options}, **{key: f"--set {key}" for key in keys}}


def _resolve_paths(raw: dict[str, Any], folder: Path) -> None:
    """The data and the model files that a study file names are relative to that file."""
    data, models = raw.get("data"), raw.get("models")
    if isinstance(data, dict) and isinstance(data.get("path"), str):
        data["path"] = str(folder / from_home(data["path"]))
    if isinstance(models, str):
        models = models.split(",")
    if isinstance(models, list):
        raw["models"] = [_resolve_model(model, folder) for model in models]


def _resolve_model(model: Any, folder: Path) -> Any:
    is_file = isinstance(model, str) and model.strip().endswith(".py")
    return str(folder / from_home(model.strip())) if is_file else model


def _require_data(raw: Mapping[str, Any]) -> None:
    data = raw.get("data", {})
    if not isinstance(data, Mapping):
        raise ConfigError(f"data: this is a section with path and target, not {data!r}.")
    for key, option in (("path", "--data FILE"), ("target", "--target COL")):
        if key not in data:
            raise ConfigError(f"Which {key}? Give {option}, or a study file with data.{key}.")


class FreeName:
    """Chooses a study's name where it has none: `abalone-1`, or the first number that is free."""

    def __init__(self) -> None:
        self._names: Iterator[str] | None = None

    def __call__(self, raw: Mapping[str, Any]) -> str:
        stem, storage = name_stem(raw), raw.get("storage")
        folder = storage.get("folder") if isinstance(storage, Mapping) else None
        taken = set(study_names(str(folder or DEFAULT_STORAGE)))
        names = (f"{stem}-{number}" for number in itertools.count(1))
        self._names = (name for name in names if name not in taken)
        return next(self._names)

    def again(self) -> str | None:
        """Return the next free name, as somebody else took the last; None where the user chose the name."""
        return None if self._names is None else next(self._names)


def name_stem(raw: Mapping[str, Any]) -> str:
    """What a study is called after: its data file, without what a name may not hold."""
    stem = Path(str(raw["data"]["path"])).name.split(".")[0]
    return re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-_")[:80] or "study"


def names(listed: str | None) -> list[str]:
    """The names in a list with commas."""
    return [name for part in (listed or "").split(",") if (name := part.strip())]


def roles_of(dropped: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    """Column -> role, of the columns that options name."""
    both = sorted(set(dropped) & set(known))
    if both:
        raise ConfigError(f"--drop: {both[0]!r} is named by --known as well: name it once.")
    return dict.fromkeys(dropped, "drop") | dict.fromkeys(known, "known")
