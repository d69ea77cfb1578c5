"""The package of a study: one zip file with its settings, data, own model files and this project's code."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import tuning
from tuning.config import StudyConfig
from tuning.data import fingerprint
from tuning.errors import ConfigError
from tuning.models import own_files
from tuning.models.errors import ModelError

STUDY = "study.yaml"
_DATA, _FAMILIES = "data", "families"
# Zip files know no dates before; one date for all makes equal content an equal file.
_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class SentFile:
    """A data file that is sent along.

    Attributes:
        source: where it lies here.
        sha256: of its content; part of its place on the cluster, so that it lies there again when sent again.
    """

    source: Path
    sha256: str

    @property
    def packed(self) -> str:
        """Its path in the package."""
        return f"{_DATA}/{self.source.name}"

    def kept(self, inputs: str) -> str:
        """Its path on the cluster, in the folder of inputs that is kept."""
        return f"{inputs}/{self.sha256[:16]}/{self.source.name}"


@dataclass(frozen=True)
class Package:
    """What is sent.

    Attributes:
        file: the zip file.
        data: the data file in it, None where the cluster has it.
        families: `models` entries of a resume, own model files by their path in the package.
    """

    file: Path
    data: SentFile | None
    families: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Size of the zip file."""
        return self.file.stat().st_size


def pack_study(config: StudyConfig, target: Path, *, send_data: bool, send_code: bool) -> Package:
    """Pack a study for `tuning run` on a cluster.

    Args:
        config: the study; paths in it are absolute.
        target: the zip file to write.
        send_data: the data file lies here and goes along; otherwise `data.path` is one of the cluster.
        send_code: the packages of this project go along and are used instead of the cluster's.

    Raises:
        InputError: a file is missing, or two model files have one name.
    """
    sent = _sent(Path(config.data.path)) if send_data else None
    entries, files = _pack_families(config.models)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
        _write(package, STUDY, _settings(config, entries).encode())
        _write_inputs(package, sent, files, send_code=send_code)
    return Package(target, sent, entries)


def pack_resume(families: Sequence[str], data: Path | None, target: Path, *, send_code: bool) -> Package:
    """Pack what `tuning resume` needs on a cluster: added families, and data that are gone there.

    Args:
        families: names and model files of families to add.
        data: the study's data file, to be put back; None where the cluster has it still.
        target: the zip file to write.
        send_code: the packages of this project go along.

    Raises:
        InputError: a file is missing, or two model files have one name.
    """
    sent = None if data is None else _sent(data)
    entries, files = _pack_families(families)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
        _write_inputs(package, sent, files, send_code=send_code)
    return Package(target, sent, entries)


def _sent(path: Path) -> SentFile:
    return SentFile(path, fingerprint(path))


def _settings(config: StudyConfig, families: Sequence[str]) -> str:
    """The study file of the package; where it runs and where it lives is said by the command there."""
    raw: dict[str, Any] = config.model_dump(mode="json", exclude_unset=True, exclude={"address": True})
    raw.get("storage", {}).pop("folder", None)
    if "models" in raw:
        raw["models"] = list(families)
    return yaml.safe_dump(raw, sort_keys=False)


def _pack_families(entries: Sequence[str]) -> tuple[tuple[str, ...], Mapping[str, Path]]:
    """The `models` entries in the package, and path in the package -> file of own models."""
    files: dict[str, Path] = {}
    packed = []
    for entry in entries:
        if not entry.endswith(".py"):
            packed.append(entry)
            continue
        name = f"{_FAMILIES}/{Path(entry).name}"
        if name in packed:
            raise ConfigError(f"models: two model files are called {Path(entry).name}; rename one of them.")
        for file in (*_own_files(Path(entry)), _existing(Path(entry).with_suffix(".yaml"))):
            other = files.setdefault(f"{_FAMILIES}/{file.name}", file)
            if other.read_bytes() != file.read_bytes():
                raise ConfigError(
                    f"models: {entry} needs {file}, but {other} goes along; rename one of them."
                )
        packed.append(name)
    return tuple(packed), files


def _own_files(path: Path) -> tuple[Path, ...]:
    try:
        return own_files(_existing(path))
    except ModelError as error:
        raise ConfigError(f"models: {error}") from error


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ConfigError(f"models: there is no file {path}; a model is a .py file with a .yaml beside it.")
    return path


def _write_inputs(
    package: zipfile.ZipFile, data: SentFile | None, files: Mapping[str, Path], *, send_code: bool
) -> None:
    if data is not None:
        _write(package, data.packed, data.source.read_bytes())
    for name, file in {**files, **(dict(_code()) if send_code else {})}.items():
        _write(package, name, file.read_bytes())


def _code() -> Iterator[tuple[str, Path]]:
    """Path in the package and file of everything in this project's package."""
    root = Path(tuning.__file__).parent
    # In a checkout, tuning/models and tuning/search_spaces are links to the folders at its top.
    for folder, subfolders, names in os.walk(root, followlinks=True):
        subfolders[:] = sorted(set(subfolders) - {"__pycache__"})
        for name in sorted(names):
            file = Path(folder, name)
            yield file.relative_to(root.parent).as_posix(), file


def _write(package: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    package.writestr(entry, content)
