"""Model files of a person's own, and the files beside them that they import."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
import threading
from pathlib import Path
from types import ModuleType

from tuning.models.errors import ModelError

_FORMER_PACKAGE = "models"
_IMPORTING = threading.RLock()


def own_files(path: Path) -> tuple[Path, ...]:
    """Return a model file and the files beside it that it imports, as in `from .layers import Block`.

    What those import is among them.

    Raises:
        ModelError: a file is no Python, or imports from another folder.
    """
    found = [path]
    for file in found:
        found += [beside for beside in imported_beside(file) if beside.is_file() and beside not in found]
    return tuple(found)


def imported_beside(file: Path) -> tuple[Path, ...]:
    """Return where the files lie that a file imports relatively, also of those that are missing.

    Raises:
        ModelError: the file is no Python, or imports from another folder.
    """
    found: dict[Path, None] = {}
    for node in ast.walk(_parse(file)):
        if not isinstance(node, ast.ImportFrom) or node.level == 0:
            continue
        names = [node.module] if node.module else [alias.name for alias in node.names]
        for name in names:
            if node.level > 1 or "." in name or file.with_name(name).is_dir():
                raise ModelError(
                    f"{file}, line {node.lineno}: a model file imports from files beside it alone, not from "
                    "other folders; put what it needs beside it, and write `from .NAME import …`."
                )
            found[file.with_name(f"{name}.py")] = None
    return tuple(found)


def import_own_file(path: Path) -> ModuleType:
    """Import a model file as the member of a package of its own, whose folder is the file's.

    The folder is not on Python's path: nothing in it can hide what the model or this project imports.

    Raises:
        ModelError: the file cannot be imported; for an import in it, the message has the line to write.
    """
    for file in own_files(path):
        _check_imports(file)
    with _IMPORTING:  # Another thread that imports a file of that name would take the module away meanwhile.
        return _import_anew(path)


def _import_anew(path: Path) -> ModuleType:
    """Import a file in the place of one of its name that was imported before."""
    stem = re.sub(r"\W", "_", path.stem)
    package = f"external_models_{stem}"
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[name]
    parent = ModuleType(package)
    parent.__path__ = [str(path.parent)]
    sys.modules[package] = parent

    spec = importlib.util.spec_from_file_location(f"{package}.{stem}", path)
    if spec is None or spec.loader is None:
        raise ModelError(f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (ImportError, SyntaxError, NameError, AttributeError, TypeError, ValueError) as error:
        raise ModelError(f"{path} cannot be imported: {type(error).__name__}: {error}.") from error
    return module


def _check_imports(file: Path) -> None:
    """Refuse imports that cannot work, or not on every machine, and give the line that does.

    Raises:
        ModelError: the file imports the package of models by its former name, or a file beside it as if that
            were on Python's path.
    """
    for node in ast.walk(_parse(file)):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            imported, names = node.module, ", ".join(map(ast.unparse, node.names))
            _check_import(file, node.lineno, imported, names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                _check_import(file, node.lineno, alias.name, None)


def _check_import(file: Path, line: int, imported: str, names: str | None) -> None:
    """Check one import; `names` are those of `from … import names`."""
    top = imported.split(".")[0]
    is_beside = file.with_name(f"{top}.py").is_file() or file.with_name(top).is_dir()
    if top == _FORMER_PACKAGE and (not is_beside or _are_ours(imported, names)):
        instead = f"import tuning.{imported}" if names is None else f"from tuning.{imported} import {names}"
    elif file.with_name(f"{top}.py").is_file() and not _is_installed(top, file):
        instead = f"from . import {top}" if names is None else f"from .{imported} import {names}"
    else:
        return
    raise ModelError(f"{file}, line {line}: there is no module {imported}; write `{instead}`.")


def _are_ours(imported: str, names: str | None) -> bool:
    """Whether the names of an import are those of this package rather than of a person's own `models`."""
    if imported != _FORMER_PACKAGE or names is None:
        return False
    ours = sys.modules[__package__]
    return all(hasattr(ours, name.split(" as ")[0].strip()) for name in names.split(","))


def _is_installed(module: str, file: Path) -> bool:
    """Whether a module comes from elsewhere than the file's folder."""
    try:
        spec = importlib.util.find_spec(module)
    except ValueError:  # A module that was made by hand has no spec.
        return True
    return spec is not None and (spec.origin is None or Path(spec.origin).parent != file.parent)


def _parse(file: Path) -> ast.Module:
    try:
        with _IMPORTING:  # Python 3.11 parses into nodes wrongly in two threads at once.
            return ast.parse(file.read_bytes(), filename=str(file))
    except (SyntaxError, ValueError) as error:
        raise ModelError(f"{file} cannot be imported: {type(error).__name__}: {error}.") from error
