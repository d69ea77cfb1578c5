"""Taking the place of a new study, before anything of it is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tuning.errors import BusyError, InputError, NameTakenError, StorageError
from tuning.session._folder import STUDY_FILE, StudyFolder, unusable
from tuning.storage import Remote, full_disk_told
from tuning.store import LOCK_NAME


@contextmanager
def claimed(folder: StudyFolder) -> Iterator[None]:
    """Hold the folder for a new study while the block sets that up; nobody else can take the name meanwhile.

    A folder that a killed process left before it wrote the study file is free; one with files that are not
    a study's is its owner's, and left as it is.

    Raises:
        NameTakenError: there is a study in the folder, or another process sets one up.
        InputError: the place cannot be written, or holds something else.
        DiskFullError: it is full.
    """
    refuse_existing(folder)
    if folder.remote is not None:
        _check_store(folder.remote)
    with ExitStack() as stack:
        try:
            with full_disk_told(folder.root):
                folder.root.mkdir(parents=True, exist_ok=True)
                stack.enter_context(folder.lock())
        except BusyError as error:
            raise NameTakenError(
                f"The study {folder.name} is being set up in {folder.parent} by another process: "
                "give another --name."
            ) from error
        except OSError as error:
            raise unwritable(folder, error) from error
        refuse_existing(folder)
        yield


def unwritable(folder: StudyFolder, error: OSError) -> InputError:
    """Say that a storage folder cannot be written, or is full."""
    reason = error.strerror or " ".join(str(error).split())
    return InputError(
        f"storage.folder: {folder.root} cannot be written ({reason}); name another folder with --storage."
    )


def refuse_existing(folder: StudyFolder) -> None:
    """Never overwrite a study, nor anything else.

    Raises:
        NameTakenError: there is a study in the folder.
        InputError: there are files in it that are not a study's.
    """
    if folder.exists() and not _is_foreign(folder):
        raise NameTakenError(
            f"The study {folder.name} exists already in {folder.parent}: "
            f"go on with it by '{folder.command('resume')}', or give another --name."
        )
    if _is_foreign(folder):
        raise InputError(
            f"{folder.root} exists already and is no study of this project, so nothing is written there: "
            "give another --name or another --storage."
        )


def _is_foreign(folder: StudyFolder) -> bool:
    """Check for something of the user's own under the study's name."""
    if not folder.root.is_dir():
        return folder.root.exists()
    is_ours = (folder.root / LOCK_NAME).exists() or (folder.remote is not None)
    return not is_ours and not _is_study(folder) and any(folder.root.iterdir())


def _is_study(folder: StudyFolder) -> bool:
    """Check that the study file is one of this project; one that is damaged counts."""
    file = folder.root / STUDY_FILE
    return file.is_file() and any(line.startswith("config:") for line in file.read_text("utf-8").splitlines())


def _check_store(remote: Remote) -> None:
    try:
        remote.check()
    except StorageError as error:
        raise unusable(error) from error
