"""A study folder's twin in an object store: what is written is sent there, and fetched before it is read."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tuning.errors import RecordError, StorageError
from tuning.storage._remote import Remote

_ARCHIVE = ".tar"
_LOOK_EVERY_S = 1.5


class Mirror:
    """What has to be done so that other machines see a study folder.

    Here: nothing, as all of them see the folder itself, on a local disk or on NFS.
    """

    def push(self, path: Path) -> None:
        """Make a file or a folder that was just written seen everywhere, whole."""

    def pull(self, path: Path) -> None:
        """Bring a file or a folder up to date; where there is none, there is none here either."""

    def delete(self, path: Path) -> None:
        """Delete a file, or a folder with all that is in it, everywhere."""
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def keep_only(self, folder: Path, keep: Collection[Path]) -> None:
        """Delete what other machines left in `folder`, except `keep`."""

    def exists(self, path: Path) -> bool:
        """Whether there is such a file or folder."""
        return path.exists()

    def watch(self, path: Path) -> Callable[[], bool]:
        """A function that tells whether a file is there; it may be asked at any rate, and costs little."""
        return path.exists

    def forget(self, folder: Path) -> None:
        """Free the disk of a folder that this process does not need any more."""

    @contextmanager
    def reading(self, folder: Path) -> Iterator[Path]:
        """A folder as it is now, to be read inside the block."""
        yield folder

    @contextmanager
    def copy(self, root: Path) -> Iterator[Path]:
        """The whole study folder, to be read inside the block."""
        yield root


class ObjectMirror(Mirror):
    """A study folder in an object store, and the folder in which this machine works on it.

    A file is an object of its own; a folder that is only useful whole, as a checkpoint, is one tar
    archive, so that it is there whole or not at all, and costs one request.

    Args:
        root: the folder on this machine.
        remote: its place in the store.
    """

    def __init__(self, root: Path, remote: Remote) -> None:
        self._root = root
        self._remote = remote

    def push(self, path: Path) -> None:
        self._remote.write(self._name(path), _pack(path) if path.is_dir() else path.read_bytes())

    def pull(self, path: Path) -> None:
        for name in (self._name(path, is_folder=False), self._name(path, is_folder=True)):
            try:
                content = self._remote.read(name)
            except FileNotFoundError:
                continue
            _place(content, path, is_folder=name.endswith(_ARCHIVE))
            return
        super().delete(path)

    def delete(self, path: Path) -> None:
        super().delete(path)
        name = self._name(path, is_folder=False)
        self._remote.delete(self._remote.names(name) or [name, f"{name}{_ARCHIVE}"])

    def keep_only(self, folder: Path, keep: Collection[Path]) -> None:
        kept = {self._name(path, is_folder=True) for path in keep}
        known = self._remote.names(self._name(folder, is_folder=False))
        self._remote.delete(name for name in known if name not in kept)

    def exists(self, path: Path) -> bool:
        name = self._name(path, is_folder=False)
        return self._remote.exists(name) or self._remote.exists(f"{name}{_ARCHIVE}")

    def watch(self, path: Path) -> Callable[[], bool]:
        return _Watch(self._remote, self._name(path, is_folder=False))

    def forget(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def reading(self, folder: Path) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="tuning-") as scratch:
            place = Path(scratch) / folder.name
            with suppress(FileNotFoundError):  # Then it is not there to be read either.
                _place(self._remote.read(self._name(folder, is_folder=True)), place, is_folder=True)
            yield place

    @contextmanager
    def copy(self, root: Path) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="tuning-") as scratch:
            place = Path(scratch) / root.name
            place.mkdir()
            for name in self._remote.names():
                self._copy_object(name, place)
            yield place

    def _copy_object(self, name: str, place: Path) -> None:
        try:
            content = self._remote.read(name)
        except FileNotFoundError:
            return  # Deleted since it was listed: the study is being run.
        is_folder = name.endswith(_ARCHIVE)
        _place(content, place / name.removesuffix(_ARCHIVE), is_folder=is_folder)

    def _name(self, path: Path, is_folder: bool | None = None) -> str:
        name = path.relative_to(self._root).as_posix()
        return f"{name}{_ARCHIVE}" if (path.is_dir() if is_folder is None else is_folder) else name


class _Watch:
    """Asks the store at most once in a while; a store that does not answer has said nothing."""

    def __init__(self, remote: Remote, name: str) -> None:
        self._remote = remote
        self._name = name
        self._seen = False
        self._next_s = 0.0

    def __call__(self) -> bool:
        if not self._seen and time.monotonic() >= self._next_s:
            try:
                self._seen = self._remote.exists(self._name, pauses_s=())
            except StorageError:
                self._seen = False
            self._next_s = time.monotonic() + _LOOK_EVERY_S
        return self._seen


def _pack(folder: Path) -> bytes:
    """A folder as a tar archive."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, arcname=path.name)
    return archive.getvalue()


def _place(content: bytes, path: Path, *, is_folder: bool) -> None:
    """Put a file or an unpacked folder in its place, whole, whatever others write there at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.pulled")
    if not is_folder:
        draft.write_bytes(content)
        draft.replace(path)
        return
    shutil.rmtree(draft, ignore_errors=True)
    _unpack(content, draft)
    shutil.rmtree(path, ignore_errors=True)
    draft.rename(path)


def _unpack(content: bytes, folder: Path) -> None:
    folder.mkdir()
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            tar.extractall(folder, filter="data")
    except tarfile.TarError as error:
        raise RecordError(f"{folder.name}{_ARCHIVE} in the object store is damaged: {error}.") from error
