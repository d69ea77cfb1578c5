"""A running study on the driver's side, free of Ray: what is started, recorded, pruned and ended."""

from tuning.session._folder import StudyFolder, study_names, to_json, write_atomically
from tuning.session._session import Draw, Search, Session

__all__ = [
    "Draw",
    "Search",
    "Session",
    "StudyFolder",
    "study_names",
    "to_json",
    "write_atomically",
]
