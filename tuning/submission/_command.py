"""The shell command of a job: `tuning run` or `tuning resume`, as one would type it on the head."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from tuning.submission._package import STUDY, Package
from tuning.submission._place import kept_inputs

_TUNING = ("python", "-m", "tuning")


def run_command(package: Package, folder: str, *, gpus: int | None = None) -> str:
    """The command that runs a packed study; `python` is that of the environment Ray was started in.

    Args:
        package: from `pack_study`; the command runs in its folder.
        folder: of the studies, on the cluster.
        gpus: GPUs to wait for first, which has an autoscaling cluster start its nodes.
    """
    data = () if package.data is None else ("--data", package.data.kept(kept_inputs(folder)))
    run = ("run", STUDY, *data, "--storage", folder, "--address", "auto")
    return _chain(package, folder, gpus, run)


def resume_command(
    name: str, package: Package, folder: str, options: Sequence[str], *, gpus: int | None = None
) -> str:
    """The command that goes on with a study.

    Args:
        name: the study.
        package: from `pack_resume`.
        folder: of the studies, on the cluster.
        options: of `tuning resume`, as words.
        gpus: GPUs to wait for first.
    """
    added = ("--models", ",".join(package.families)) if package.families else ()
    resume = ("resume", name, *options, *added, "--storage", folder, "--address", "auto")
    return _chain(package, folder, gpus, resume)


def _chain(package: Package, folder: str, gpus: int | None, last: Sequence[str]) -> str:
    """The data are put in their place, the GPUs waited for; `exec` lets signals reach the driver itself."""
    steps = [*_keep_data(package, kept_inputs(folder))]
    if gpus is not None:
        steps.append(_words((*_TUNING, "await", "--gpus", str(gpus), "--address", "auto")))
    return " && ".join([*steps, f"exec {_words((*_TUNING, *last))}"])


def _keep_data(package: Package, inputs: str) -> Iterator[str]:
    """Copy under another name and rename: a kill between leaves no half file under the final one."""
    if package.data is None:
        return
    final = package.data.kept(inputs)
    yield f"mkdir -p {_word(final.rpartition('/')[0])}"
    yield f"cp {_word(package.data.packed)} {_word(final)}.$$"
    yield f"mv {_word(final)}.$$ {_word(final)}"


def _words(words: Sequence[str]) -> str:
    return " ".join(_word(word) for word in words)


def _word(word: str) -> str:
    """A word for the shell, which still has to put the home folder in for `~`."""
    return f"~/{shlex.quote(word[2:])}" if word.startswith("~/") else shlex.quote(word)
