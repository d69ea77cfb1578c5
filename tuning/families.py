"""A model family as a study sees it: its model, its search space, and where both come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuning.config.explain import closest, full_stop
from tuning.errors import ConfigError
from tuning.models import ModelClass, Task, family_names, load_family, load_family_file
from tuning.models.errors import ModelError
from tuning.paths import from_home
from tuning.space import Space, check_against_model, load_space

ALL = "all"


@dataclass(frozen=True)
class Family:
    """One family of a study.

    Attributes:
        name: the stem of its file.
        space: what is searched, the study's changes included.
        file: the model's file when it is not a shipped one.
    """

    name: str
    space: Space
    file: Path | None = None

    def load_model(self) -> ModelClass:
        """The model class; imports the library behind it."""
        return load_model(self.name, self.file)


def load_model(name: str, file: Path | None) -> ModelClass:
    """A family's model class, by name or from its file."""
    return load_family(name) if file is None else load_family_file(file)


def resolve_families(
    names: Sequence[str], task: Task, changes: Mapping[str, Mapping[str, Any]], place: str = "models"
) -> tuple[Family, ...]:
    """The families that a study's `models` entry asks for, checked against their spaces.

    The task's baselines are always among them, so that a model that does not beat them shows.

    Args:
        names: family names, paths of model files, or `all` (every shipped family that does the task).
        task: the study's task.
        changes: per family, changes of its space.
        place: where the names were given, for messages.

    Raises:
        ConfigError: an unknown family, one that cannot do the task, or a space that does not fit.
    """
    wanted = dict.fromkeys([*_baselines(task), *_expand(names, task, place)])
    families = [_resolve(name, changes, place) for name in wanted]
    _refuse_twins(families, place)
    for family in families:
        if task not in family.load_model().tasks:
            raise ConfigError(
                f"{place}: {family.name} cannot do {task}; choose from {', '.join(_able(task))}."
            )
    known = {family.name for family in families}
    for name in changes:
        if name not in known:
            raise ConfigError(
                f"spaces.{name}: the study has no such model; it has {', '.join(sorted(known))}."
            )
    return tuple(families)


def _able(task: Task) -> list[str]:
    """The shipped families that do the task, the quick ones first: a budget of time may end early."""
    able = [name for name in family_names() if task in load_family(name).tasks]
    return sorted(able, key=lambda name: load_family(name).uses_gpu)


def _baselines(task: Task) -> list[str]:
    """Those among them that learn nothing; only models without hyperparameters are worth importing."""
    plain = [name for name in family_names() if not load_space(name).parameters]
    return [name for name in plain if not load_family(name).learns and task in load_family(name).tasks]


def _expand(names: Sequence[str], task: Task, place: str) -> list[str]:
    expanded: list[str] = []
    for name in names:
        if name == ALL:
            expanded += _able(task)
        elif name.endswith(".py") or name in family_names():
            expanded.append(name)
        else:
            offer = closest(name, [ALL, *family_names()])
            raise ConfigError(
                full_stop(f"{place}: there is no model {name!r}, nor is it the path of a .py file{offer}")
            )
    return list(dict.fromkeys(expanded))


def _refuse_twins(families: Sequence[Family], place: str) -> None:
    """Two families of one name would share one record."""
    names = [family.name for family in families]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{place}: two models are called {name}; rename the file of one of them.")


def _resolve(name: str, changes: Mapping[str, Mapping[str, Any]], place: str) -> Family:
    file = from_home(name).resolve() if name.endswith(".py") else None
    stem = file.stem if file else name
    try:
        model = load_model(stem, file)
    except ModelError as error:
        raise ConfigError(f"{place}: {error}") from error
    space_file = file.with_suffix(".yaml") if file else None
    space = load_space(stem, space_file)
    check_against_model(space, model, str(space_file or f"search_spaces/{stem}.yaml"))
    if stem in changes:
        changed = f"spaces.{stem}"
        space = space.override(changes[stem], changed)
        check_against_model(space, model, changed)
    return Family(stem, space, file)
