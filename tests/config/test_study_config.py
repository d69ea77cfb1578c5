"""The study configuration: what it accepts, and the one sentence that it refuses with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from tuning.config import (
    SamplerName,
    StudyConfig,
    apply_settings,
    read_study_file,
    set_entry,
    validate_config,
)
from tuning.config.duration import format_duration, parse_duration_s
from tuning.config.url import expand_variables, has_password, mask_password
from tuning.errors import ConfigError, InputError

BASE: dict[str, Any] = {"name": "demo", "data": {"path": "a.csv", "target": "y"}}


def config(**sections: Any) -> StudyConfig:
    return validate_config({**BASE, **sections}, "study.yaml")


def refusal(**sections: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        config(**sections)
    message = str(caught.value)
    assert message.startswith("study.yaml.")
    assert message[-1] in ".?"
    assert "\n" not in message
    return message


def test_the_defaults_are_a_valid_study() -> None:
    study = config()
    assert study.models == ("all",)
    assert study.search.sampler is SamplerName.TPE
    assert study.pruning.max_iterations == 27
    assert study.search.time_budget_s is None


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        config().name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("sections", "place", "words"),
    [
        ({"serach": {}}, "serach", ["no such key", "did you mean search?"]),
        ({"search": {"trails": 5}}, "search.trails", ["no such key", "did you mean trials"]),
        ({"storage": {"zzz": 1}}, "storage.zzz", ["no such key", "choose from folder, keep_trials, url"]),
        ({"search": {"trials": "many"}}, "search.trials", ["valid integer", "not 'many'"]),
        ({"search": {"trials": 0}}, "search.trials", ["greater than or equal to 1", "not 0"]),
        ({"search": {"trials": 1.5}}, "search.trials", ["valid integer", "not 1.5"]),
        ({"search": {"seed": -1}}, "search.seed", ["greater than or equal to 0", "not -1"]),
        ({"search": {"sampler": "tpee"}}, "search.sampler", ["'tpe'", "'gp'", "'qmc'", "not 'tpee'"]),
        ({"search": {"time_budget_s": "ten"}}, "search.time_budget_s", ["90s, 10m, 1h30m", "not 'ten'"]),
        ({"search": {"time_budget_s": 0}}, "search.time_budget_s", ["greater than 0", "not 0"]),
        ({"search": {"time_budget_s": float("inf")}}, "search.time_budget_s", ["finite", "inf"]),
        ({"search": None}, "search", ["section of keys and values", "not None"]),
        ({"search": 5}, "search", ["section of keys and values", "not 5"]),
        ({"pruning": {"reduction_factor": 1}}, "pruning.reduction_factor", ["equal to 2", "not 1"]),
        ({"pruning": {"pruner": "hyperband"}}, "pruning.pruner", ["'asha', 'median' or 'none'"]),
        ({"pruning": {"max_iterations": 1001}}, "pruning.max_iterations", ["equal to 1000", "not 1001"]),
        ({"resources": {"gpus_per_trial": "half"}}, "resources.gpus_per_trial", ["auto", "not 'half'"]),
        ({"resources": {"gpus_per_trial": 1.5}}, "resources.gpus_per_trial", ["whole number", "not 1.5"]),
        ({"resources": {"gpus_per_trial": -1}}, "resources.gpus_per_trial", ["0 to 1", "not -1"]),
        ({"resources": {"gpus_per_trial": float("nan")}}, "resources.gpus_per_trial", ["not nan"]),
        ({"resources": {"gpus_per_trial": float("inf")}}, "resources.gpus_per_trial", ["not inf"]),
        ({"resources": {"cpus_per_trial": 0}}, "resources.cpus_per_trial", ["greater than 0"]),
        ({"data": {"path": "a.csv"}}, "data.target", ["required"]),
        ({"data": {"path": "a.csv", "tarjet": "y"}}, "data.tarjet", ["did you mean target"]),
        ({"data": {**BASE["data"], "roles": {"a": "numerci"}}}, "data.roles.a", ["'numeric'", "'numerci'"]),
        ({"data": {**BASE["data"], "roles": {7: "drop"}}}, "data.roles.7", ["valid string", "not 7"]),
        ({"split": {"valid": 0.6, "test": 0.6}}, "split", ["leave rows to train on", "1.2"]),
        ({"split": {"method": "time"}}, "split", ["split.method=time needs", "column"]),
        ({"models": []}, "models", ["at least 1"]),
        ({"models": 5}, "models", ["not 5"]),
        ({"spaces": {"lightgbm": 5}}, "spaces.lightgbm", ["not 5"]),
        ({"address": "foo bar"}, "address", ["local, auto or HOST:PORT", "not 'foo bar'"]),
        ({"address": "ray://head:10001"}, "address", ["on the cluster's head", "--address auto"]),
        ({"name": "a/b"}, "name", ["letters, digits", "not 'a/b'"]),
        ({"name": "../up"}, "name", ["not '../up'"]),
        ({"name": ".hidden"}, "name", ["not '.hidden'"]),
        ({"name": ""}, "name", ["not ''"]),
        ({"name": "x" * 101}, "name", ["letters, digits"]),
    ],
)
def test_a_refusal_names_place_rule_value_and_choices(
    sections: dict[str, Any], place: str, words: list[str]
) -> None:
    message = refusal(**sections)
    assert message.startswith(f"study.yaml.{place}: ")
    for word in words:
        assert word in message


def test_further_problems_are_counted() -> None:
    assert "(and 1 more problem)." in refusal(search={"trials": 0, "seed": -1})
    message = refusal(search={"trials": 0, "seed": -1, "startup_trials": 0})
    assert message.count("(and 2 more problems).") == 1


def test_a_value_from_an_option_is_refused_by_the_option() -> None:
    given_by = {"search.trials": "--trials", "data": "--set data"}
    with pytest.raises(ConfigError, match=r"^--trials: .* not 0\.$"):
        validate_config({**BASE, "search": {"trials": 0}}, "study.yaml", given_by)
    with pytest.raises(ConfigError, match=r"^--set data\.tarjet: "):
        validate_config({**BASE, "data": {"path": "a", "tarjet": "y"}}, "study.yaml", given_by)
    with pytest.raises(ConfigError, match=r"^study\.yaml\.search\.seed: "):
        validate_config({**BASE, "search": {"seed": -1}}, "study.yaml", given_by)


def test_every_configuration_error_is_wrong_input() -> None:
    assert issubclass(ConfigError, InputError)


@pytest.mark.parametrize("word", ["on", "off", "no", "yes"])
@pytest.mark.parametrize(
    "key", ["metric", "search.sampler", "search.trials", "data.target", "resources.max_retries", "name"]
)
def test_a_bare_yaml_boolean_is_refused_where_no_boolean_belongs(key: str, word: str) -> None:
    raw = apply_settings(BASE, [])
    set_entry(raw, key, yaml.safe_load(word))  # as a study file has it
    with pytest.raises(ConfigError, match="quote it") as caught:
        validate_config(raw, "study.yaml")
    assert f"study.yaml.{key}: " in str(caught.value)
    assert str(word in ("on", "yes")) in str(caught.value)


def test_a_column_called_on_must_be_quoted_in_the_roles(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("name: demo\ndata: {path: a.csv, target: y, roles: {on: numeric}}\n")
    with pytest.raises(ConfigError, match=r"data\.roles\.<key>: this cannot be True"):
        validate_config(read_study_file(path), "study.yaml")


def test_a_quoted_on_and_a_boolean_key_are_taken() -> None:
    raw = apply_settings(BASE, ["data.target='on'", "data.drop_missing_target=yes"])
    study = validate_config(raw, "study.yaml")
    assert study.data.target == "on"
    assert study.data.drop_missing_target is True


@pytest.mark.parametrize(
    ("setting", "key", "value"),
    [
        ("data.target=on", ("target",), "on"),  # a shell has taken the quotes away
        ("data.target=2024", ("target",), "2024"),
        ("data.target=price: net #1", ("target",), "price: net #1"),
        ('data.target="on"', ("target",), "on"),
        ("data.time=2024-01", ("time",), ("2024-01",)),
        ("data.series=no", ("series",), ("no",)),
        ("data.series=a,b", ("series",), ("a", "b")),
        ("data.series=['a,b', 7]", ("series",), ("a,b", "7")),
        ("data.roles.a.b=drop", ("roles", "a.b"), "drop"),
        ("data.roles.a = b=drop", ("roles", "a = b"), "drop"),
        ("data.roles.on=numeric", ("roles", "on"), "numeric"),
        ("data.delimiter=|", ("delimiter",), "|"),
        ("data.delimiter=\\t", ("delimiter",), "\t"),
        ("data.decimal_comma=yes", ("decimal_comma",), True),
        ("data.day_first=false", ("day_first",), False),
        ("data.delimiter=null", ("delimiter",), None),
    ],
)
def test_a_setting_is_taken_as_it_is_typed(setting: str, key: tuple[str, ...], value: object) -> None:
    raw = apply_settings({**BASE, "data": {**BASE["data"], "horizon": 4, "time": "t"}}, [setting])
    found: Any = validate_config(raw, "study.yaml").data.model_dump()
    for part in key:
        found = found[part]
    assert found == value


@pytest.mark.parametrize("delimiter", [";;", "tabs", ""])
def test_a_delimiter_is_one_character(delimiter: str) -> None:
    raw = apply_settings(BASE, [f"data.delimiter='{delimiter}'"])
    with pytest.raises(ConfigError, match="one character"):
        validate_config(raw, "study.yaml")


def test_a_boolean_may_fix_a_hyperparameter() -> None:
    assert (
        config(spaces={"random_forest": {"bootstrap": False}}).spaces["random_forest"]["bootstrap"] is False
    )


def test_a_number_that_yaml_reads_as_text_is_a_number(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "name: demo\ndata: {path: a.csv, target: y}\nsplit: {valid: 1e-1}\ntarget: {clip_min: 1e-4}\n"
    )
    study = validate_config(read_study_file(path), "study.yaml")
    assert study.split.valid == 0.1
    assert study.target.clip_min == 1e-4


@pytest.mark.parametrize("share", [0, 0.25, 1, 2, "auto", "0.5"])
def test_gpu_shares_that_can_be_had(share: Any) -> None:
    taken = config(resources={"gpus_per_trial": share}).resources.gpus_per_trial
    assert taken == ("auto" if share == "auto" else float(share))


def test_models_may_be_written_with_commas() -> None:
    assert config(models="lightgbm, xgboost").models == ("lightgbm", "xgboost")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1h30m", 5400), ("0.5m", 30), ("1d", 86400), ("7", 7)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == seconds
    assert config(search={"time_budget_s": text}).search.time_budget_s == seconds


@pytest.mark.parametrize("text", ["", "m", "-5", "5 m", "10min", "1:30", "1e2s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="a duration is"):
        parse_duration_s(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.0s"), (59.6, "1m00s"), (3599.7, "1h00m"), (90061, "25h01m"), (12, "12s")]
)
def test_durations_are_shown_in_two_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_settings_reach_into_sections_and_leave_the_input_alone() -> None:
    raw = {**BASE, "search": None}
    result = apply_settings(raw, ["search.trials=5", "models=[lightgbm]", "data.roles.sex=categorical"])
    assert result["search"] == {"trials": 5}
    assert result["models"] == ["lightgbm"]
    assert result["data"]["roles"] == {"sex": "categorical"}
    assert raw["search"] is None
    assert "roles" not in raw["data"]


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("trials", "write key.path=value"),
        ("=5", "write key.path=value"),
        ("name.x=5", "name is a value, not a section"),
        ("search.trials=[1", "not valid YAML"),
    ],
)
def test_settings_that_cannot_be_read(setting: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        apply_settings(BASE, [setting])
    assert "--set" in str(caught.value)


def test_an_empty_section_of_a_study_file_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("name: demo\nsearch:\nmetric: mae\n", encoding="utf-8")
    assert read_study_file(path) == {"name": "demo", "metric": "mae"}


def test_an_entry_is_set_through_empty_sections_but_not_through_values() -> None:
    raw: dict[str, Any] = {"data": "file.csv", "search": None}
    set_entry(raw, "search.trials", 3)
    assert raw["search"] == {"trials": 3}
    with pytest.raises(ConfigError, match=r"^data\.target: data is a value, not a section"):
        set_entry(raw, "data.target", "y")


def test_a_database_password_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "se$cret")
    url = "postgresql://ann:${PGPASSWORD}@db/tuning"
    assert expand_variables(url) == "postgresql://ann:se$cret@db/tuning"
    monkeypatch.delenv("PGPASSWORD")
    with pytest.raises(ConfigError, match=r"storage\.url: the environment variable PGPASSWORD is not set"):
        expand_variables(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:secret@db:5432/x", "postgresql://ann:***@db:5432/x"),
        ("postgresql://ann:se@cr:et@db/x", "postgresql://ann:***@db/x"),
        (
            "postgresql://db/x?user=ann&password=secret&port=1",
            "postgresql://db/x?user=ann&password=***&port=1",
        ),
        ("postgresql://ann@db:5432/x", "postgresql://ann@db:5432/x"),
        ("sqlite:///studies/record.db", "sqlite:///studies/record.db"),
    ],
)
def test_a_database_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert mask_password(url) == shown
    assert has_password(url) == (url != shown)


def test_there_is_no_such_study_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no study file .*gone\.yaml"):
        read_study_file(tmp_path / "gone.yaml")
    with pytest.raises(ConfigError, match="no study file"):
        read_study_file(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"search: [1", "is not valid YAML"),
        (b"\xff\xfe\x00", "is not valid YAML"),
        (b"", "must hold keys and values"),
        (b"- a\n- b\n", "must hold keys and values"),
    ],
)
def test_a_study_file_that_cannot_be_read(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=words) as caught:
        read_study_file(path)
    assert str(path) in str(caught.value)
