"""Sending a study to a cluster: what is checked here, what is packed, and the command that runs there."""

from tuning.submission._check import check_study
from tuning.submission._command import resume_command, run_command
from tuning.submission._package import Package, SentFile, pack_resume, pack_study
from tuning.submission._place import DEFAULT_PLACE, check_place, check_urls, kept_inputs

__all__ = [
    "DEFAULT_PLACE",
    "Package",
    "SentFile",
    "check_place",
    "check_study",
    "check_urls",
    "kept_inputs",
    "pack_resume",
    "pack_study",
    "resume_command",
    "run_command",
]
