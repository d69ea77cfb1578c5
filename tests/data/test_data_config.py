from __future__ import annotations

import pytest
from pydantic import ValidationError

from tuning.data import ColumnRole, DataConfig, SplitConfig, TargetConfig


def test_defaults() -> None:
    config = DataConfig(path="t.csv", target="y")
    assert (config.task, config.roles, config.drop_missing_target) == (None, {}, False)
    split = SplitConfig()
    assert (split.method, split.valid, split.test, split.folds) == ("auto", 0.15, 0.15, 0)


def test_roles_are_parsed() -> None:
    config = DataConfig.model_validate({"path": "t.csv", "target": "y", "roles": {"a": "text"}})
    assert config.roles == {"a": ColumnRole.TEXT}


@pytest.mark.parametrize(
    "values",
    [
        {"colour": 1},
        {"valid": 0.5, "test": 0.5},
        {"valid": 0.0},
        {"test": 1.5},
        {"test": -0.1},
        {"folds": -1},
        {"method": "time"},
        {"method": "column"},
        {"method": "random", "column": "a"},
        {"column": "a"},
        {"method": "alphabetical"},
    ],
)
def test_bad_splits_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SplitConfig.model_validate(values)


def test_folds_need_no_validation_share() -> None:
    assert SplitConfig(folds=5, valid=0.0).is_kfold


@pytest.mark.parametrize("values", [{"task": "ranking"}, {"roles": {"a": "colour"}}, {"targets": "y"}])
def test_bad_data_sections_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DataConfig.model_validate({"path": "t.csv", "target": "y", **values})


def test_configs_are_frozen_and_round_trip() -> None:
    config = TargetConfig.model_validate({"transform": "log1p", "clip_min": 0.01})
    with pytest.raises(ValidationError):
        config.clip_min = 1.0  # type: ignore[misc]
    assert TargetConfig.model_validate(config.model_dump(mode="json")) == config
