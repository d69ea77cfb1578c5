"""The root of every error this project raises, and the errors that models raise."""

from __future__ import annotations


class TuningError(Exception):
    """Root of the project's error tree.

    The message is one sentence for a person: where, which rule, which value, what to do instead.
    """


class ModelError(TuningError):
    """A model cannot be built, trained, saved or loaded as asked."""


class DivergedError(ModelError):
    """Training produced NaN or inf, or a loss that only grows.

    Raised from `Model.advance`. The best state marked before it is kept, so the trial can still be
    saved and predicted with.
    """


class CheckpointError(ModelError):
    """A checkpoint folder is incomplete, damaged or from another model."""
