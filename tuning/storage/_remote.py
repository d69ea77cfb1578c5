"""A place in an object store: whole objects by name, with every request tried several times."""

from __future__ import annotations

import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import quote, urlsplit

from tuning.config.url import expand_variables
from tuning.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

logger = logging.getLogger(__name__)

PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0)
"""Before each further try."""

_PATIENCE_S = 45.0
"""After which there is no further try; each may itself take seconds."""

_AT_ONCE = 16
_FINAL = re.compile(
    "ACCESS_DENIED|INVALID_ACCESS_KEY|SIGNATURE_DOES_NOT_MATCH|NO_SUCH_BUCKET|does not exist|"
    "INVALID_SIGNATURE|UNRECOGNIZED_CLIENT|credentials|PERMANENT|HTTP status 40[0134]|Forbidden",
    re.IGNORECASE,
)
_Answer = TypeVar("_Answer")


@dataclass
class _Link:
    """A process's connection to a store, shared by all places in it.

    Attributes:
        opened: pyarrow's file system of the URI, and the path in it.
        is_away: the store did not answer for as long as is waited; then nothing waits until it does.
    """

    opened: tuple[FileSystem, str] | None = None
    is_away: bool = False


class Remote:
    """Objects below a URI, by names with slashes. An object is there whole, or not at all.

    Travels between processes as its URI; each opens it with the environment of its own.

    Args:
        uri: as `pyarrow.fs.FileSystem.from_uri` takes it; `${NAME}` stands for an environment variable.
        below: folder below it.
        link: of another place below the same URI.

    Raises:
        ConfigError: no object store has such a URI.
    """

    def __init__(self, uri: str, below: str = "", link: _Link | None = None) -> None:
        self.uri = uri
        self._below = below
        self._link = link or _Link()
        if not urlsplit(uri).netloc:
            raise ConfigError(f"storage.folder: {uri!r} names no bucket; write s3://BUCKET/FOLDER.")

    def __truediv__(self, name: str) -> Self:
        return type(self)(self.uri, f"{self._below}/{name}".strip("/"), self._link)

    def __str__(self) -> str:
        """The URI without its query and its credentials."""
        parts = urlsplit(self.uri)
        whole = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        return f"{whole.rstrip('/')}/{self._below}".rstrip("/")

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        return type(self), (self.uri, self._below)

    def check(self) -> None:
        """Write, read and delete an object, once each.

        Raises:
            StorageError: the store refuses one of these.
        """
        name = f".probe-{secrets.token_hex(8)}"
        self._try("written", lambda: self._put(name, b"probe"), pauses_s=())
        self._try("read", lambda: self._get(name), pauses_s=())
        self._try("written", lambda: self._delete(name), pauses_s=())

    def write(self, name: str, content: bytes) -> None:
        """Create or replace an object."""
        self._try("written", lambda: self._put(name, content))

    def read(self, name: str) -> bytes:
        """An object's content.

        Raises:
            FileNotFoundError: there is none of that name.
        """
        return self._try("read", lambda: self._get(name))

    def read_all(self, names: Sequence[str]) -> list[bytes]:
        """Several objects, fetched side by side."""
        return self._side_by_side(self.read, names)

    def exists(self, name: str, *, pauses_s: Sequence[float] = PAUSES_S) -> bool:
        """Whether there is an object of that name."""
        return self._try("read", lambda: self._is_file(name), pauses_s=pauses_s)

    def names(self, below: str = "") -> list[str]:
        """Names of all objects, or of those below a folder, sorted."""
        return sorted(self._try("read", lambda: self._list(below)))

    def folders(self) -> list[str]:
        """Names of the folders right here, sorted."""
        return sorted(self._try("read", self._list_folders))

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects, side by side; one that is not there is left so."""
        self._side_by_side(lambda name: self._try("written", lambda: self._delete(name)), list(names))

    def _side_by_side(self, act: Callable[[str], _Answer], names: Sequence[str]) -> list[_Answer]:
        if len(names) < 2:
            return [act(name) for name in names]
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            return list(pool.map(act, names))

    def _try(self, done: str, act: Callable[[], _Answer], *, pauses_s: Sequence[float] = PAUSES_S) -> _Answer:
        """Do it, several times if need be, unless the reason is one that time does not change."""
        deadline_s = time.monotonic() + _PATIENCE_S
        for pause_s in (*pauses_s, None):
            try:
                answer = act()
            except FileNotFoundError:
                raise
            except OSError as error:
                is_final = _FINAL.search(str(error)) is not None
                is_late = time.monotonic() > deadline_s
                if pause_s is None or is_late or is_final or self._link.is_away:
                    self._link.is_away |= bool(pauses_s) and not is_final
                    raise StorageError(f"{self} cannot be {done}: {_reason(error)}.") from error
                logger.debug("%s could not be %s (%s); trying again.", self, done, error)
                time.sleep(pause_s)
            else:
                self._link.is_away = False
                return answer
        raise AssertionError("the last try returns or raises")

    @property
    def _fs(self) -> FileSystem:
        return self._open()[0]

    def _path(self, name: str) -> str:
        return "/".join(filter(None, (self._open()[1], self._below, name)))

    def _open(self) -> tuple[FileSystem, str]:
        if self._link.opened is None:
            self._link.opened = _open_filesystem(self.uri)
        return self._link.opened

    def _put(self, name: str, content: bytes) -> None:
        with self._fs.open_output_stream(self._path(name)) as stream:
            stream.write(content)

    def _get(self, name: str) -> bytes:
        with self._fs.open_input_stream(self._path(name)) as stream:
            content: bytes = stream.read()
        return content

    def _is_file(self, name: str) -> bool:
        return bool(self._fs.get_file_info(self._path(name)).is_file)

    def _list(self, below: str) -> list[str]:
        from pyarrow.fs import FileSelector

        selector = FileSelector(self._path(below), recursive=True, allow_not_found=True)
        start = len(self._path("")) + 1
        return [info.path[start:] for info in self._fs.get_file_info(selector) if info.is_file]

    def _list_folders(self) -> list[str]:
        from pyarrow.fs import FileSelector, FileType

        selector = FileSelector(self._path(""), allow_not_found=True)
        infos = self._fs.get_file_info(selector)
        return [info.base_name for info in infos if info.type is FileType.Directory]

    def _delete(self, name: str) -> None:
        try:
            self._fs.delete_file(self._path(name))
        except FileNotFoundError:
            return


def _open_filesystem(uri: str) -> tuple[FileSystem, str]:
    """pyarrow's file system of the URI, and the path in it."""
    from pyarrow.fs import FileSystem

    whole = expand_variables(uri, "storage.folder", encode=lambda value: quote(value, safe=""))
    if urlsplit(uri).scheme == "s3":
        whole = _with_s3_defaults(whole)
    try:
        opened: tuple[FileSystem, str] = FileSystem.from_uri(whole)
    except (ValueError, NotImplementedError) as error:  # pyarrow's derive from these
        place = urlsplit(uri).scheme
        raise ConfigError(
            f"storage.folder: this {place}:// URI cannot be opened ({_reason(error)}); "
            "write s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or a folder."
        ) from error
    return opened


def _with_s3_defaults(uri: str) -> str:
    """One request for a small object instead of three; checksums as every S3-compatible store takes them."""
    if "endpoint_override" in uri or "AWS_ENDPOINT_URL" in os.environ:
        os.environ.setdefault("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
        os.environ.setdefault("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required")
    if "allow_delayed_open" in uri:
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}allow_delayed_open=true"


def _reason(error: BaseException) -> str:
    """What the store's library says, in one line."""
    said = " ".join(str(error).split()).rstrip(".")
    return said if len(said) <= 300 else f"{said[:300]}…"
