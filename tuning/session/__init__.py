"""A running study on the driver's side, free of Ray: what is started, recorded, pruned and ended."""

from tuning.session._claim import claimed, refuse_existing, unwritable
from tuning.session._driver import DriverPlace, read_place, told_place
from tuning.session._family import Draw, Search
from tuning.session._folder import (
    STUDY_FILE,
    StudyFolder,
    replace_folder,
    study_names,
    to_json,
    write_atomically,
)
from tuning.session._session import Session

__all__ = [
    "STUDY_FILE",
    "Draw",
    "DriverPlace",
    "Search",
    "Session",
    "StudyFolder",
    "claimed",
    "read_place",
    "refuse_existing",
    "replace_folder",
    "study_names",
    "to_json",
    "told_place",
    "unwritable",
    "write_atomically",
]
