"""What a study's trials are expected to hold in host memory."""

from __future__ import annotations

from collections.abc import Mapping

from tuning.families import Family
from tuning.models import ModelClass
from tuning.space import build_params
from tuning.study._setup import PreparedStudy

_GIB = 2**30


def expected_rows_gib(study: PreparedStudy, models: Mapping[str, ModelClass]) -> float:
    """GiB that a trial's models hold beside the rows, of the family that holds most.

    The folds of a trial are trained in turns, and their models are there at once. The default hyperparameters
    stand for all others.
    """
    return max(_rows_gib(study, family, models[family.name]) for family in study.header.families)


def _rows_gib(study: PreparedStudy, family: Family, model: ModelClass) -> float:
    params = build_params(model, family.space.full(family.space.defaults()), family.name)
    tables = ((fold.schema, table) for fold in study.data.folds for table in (fold.train, fold.valid))
    return sum(model.host_bytes(params, schema, table) for schema, table in tables) / _GIB
