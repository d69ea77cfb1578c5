"""Finding models: every file of this package that does not start with an underscore is one family."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

from tuning.models._base import Model
from tuning.models._own_file import import_own_file
from tuning.models.errors import ModelError

ModelClass = type[Model[Any]]
_NOT_FAMILIES = frozenset({"errors"})


def family_names() -> tuple[str, ...]:
    """Names of the shipped families: the stems of the files in this package."""
    folder = Path(__file__).parent
    stems = (path.stem for path in sorted(folder.glob("*.py")))
    return tuple(stem for stem in stems if not stem.startswith("_") and stem not in _NOT_FAMILIES)


def load_family(name: str) -> ModelClass:
    """The model class of a shipped family.

    Raises:
        ModelError: there is no such family; the message lists those that exist.
    """
    if name not in family_names():
        raise ModelError(f"There is no model {name!r}: choose from {', '.join(family_names())}.")
    return _only_model(importlib.import_module(f"{__package__}.{name}"))


def load_family_file(path: Path) -> ModelClass:
    """The model class of a file outside this package; the file's stem is the family's name.

    Raises:
        ModelError: the file is missing, cannot be imported, or does not define exactly one model.
    """
    if not path.is_file():
        raise ModelError(f"There is no model file {path}: name a Python file that defines one Model.")
    return _only_model(import_own_file(path))


def _only_model(module: ModuleType) -> ModelClass:
    found = [
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, Model)
        and not inspect.isabstract(value)
        and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise ModelError(f"{module.__file__} must define exactly one Model, it defines {len(found)}.")
    return found[0]
