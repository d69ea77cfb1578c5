"""Search spaces: conditions, changes, defaults, and what is refused with which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest

from tuning.errors import ConfigError
from tuning.families import Family, resolve_families
from tuning.models import Params, Task, family_names, load_family
from tuning.space import Space, build_params, check_against_model, load_space

PROBE = str(Path(__file__).parents[1] / "families" / "probe.py")

CONDITIONAL: dict[str, Any] = {
    "parameters": {
        "optimizer": {"type": "categorical", "choices": ["sgd", "adam", "rmsprop"], "default": "adam"},
        "momentum": {"type": "float", "low": 0.0, "high": 0.9, "when": {"optimizer": "sgd"}},
        "decay": {"type": "float", "low": 0.1, "high": 0.9, "when": {"optimizer": ["adam", "rmsprop"]}},
        "layers": {"type": "categorical", "choices": [[64], [64, 32]], "default": [64, 32]},
    },
    "fixed": {"epochs": 10},
}


class NetParams(Params):
    optimizer: str
    epochs: int
    momentum: float = 0.0
    decay: float = 0.5
    layers: list[int]


class Net:
    """As much of a model as a space is checked against."""

    Params = NetParams


def conditional() -> Space:
    return Space.model_validate(CONDITIONAL)


def write_space(folder: Path, text: str) -> Path:
    path = folder / "net.yaml"
    path.write_text(text)
    return path


def draw(space: Space, fixed: dict[str, Any] | None = None, seed: int = 0) -> dict[str, Any]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    if fixed:
        study.enqueue_trial(fixed)
    trial = study.ask()
    space.suggest(trial)
    return dict(trial.params)


@pytest.mark.parametrize(
    ("optimizer", "active"),
    [("sgd", {"momentum"}), ("adam", {"decay"}), ("rmsprop", {"decay"})],
)
def test_a_condition_decides_which_parameters_exist(optimizer: str, active: set[str]) -> None:
    drawn = draw(conditional(), {"optimizer": optimizer})
    assert set(drawn) == {"optimizer", "layers"} | active
    assert set(conditional().defaults({"optimizer": optimizer})) == set(drawn)


def test_lists_are_text_in_optuna_and_lists_for_the_model() -> None:
    space = conditional()
    drawn = draw(space, space.encode(space.defaults()))
    assert drawn["layers"] == "[64, 32]"
    decoded = space.decode(drawn)
    assert decoded["layers"] == [64, 32]
    assert space.encode(decoded) == drawn


def test_defaults_are_the_declared_ones_of_the_active_parameters() -> None:
    assert conditional().defaults() == {"optimizer": "adam", "decay": 0.1, "layers": [64, 32]}
    assert conditional().full(conditional().defaults())["epochs"] == 10


def test_a_scalar_fixes_and_its_conditions_still_hold() -> None:
    space = conditional().override({"optimizer": "sgd"}, "spaces.net")
    drawn = draw(space)
    assert set(drawn) == {"momentum", "layers"}
    assert space.full(drawn)["optimizer"] == "sgd"


def test_a_list_fixes_a_list() -> None:
    space = conditional().override({"layers": [8, 8]}, "spaces.net")
    assert space.full(space.defaults())["layers"] == [8, 8]


def test_a_mapping_changes_entries_and_keeps_the_others() -> None:
    space = conditional().override({"decay": {"high": 0.2}, "optimizer": {"choices": ["adam"]}}, "spaces.net")
    assert space.defaults()["decay"] == 0.1
    values = [draw(space, seed=seed)["decay"] for seed in range(20)]
    assert all(0.1 <= value <= 0.2 for value in values)


def test_what_was_fixed_can_be_searched() -> None:
    space = conditional().override({"epochs": {"type": "int", "low": 1, "high": 3}}, "spaces.net")
    assert "epochs" not in space.fixed
    assert 1 <= draw(space)["epochs"] <= 3


def test_an_override_leaves_the_space_as_it_was() -> None:
    space = conditional()
    space.override({"optimizer": "sgd"}, "spaces.net")
    assert space == conditional()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"momentun": 0.5}, ["spaces.net.momentun", "did you mean momentum?"]),
        ({"zzz": 0.5}, ["spaces.net.zzz", "choose from decay, epochs, layers, momentum, optimizer"]),
        ({"decay": {"low": 0.95}}, ["spaces.net.parameters.decay", "low = 0.95 is above high = 0.9"]),
        ({"decay": {"hihg": 1}}, ["decay.hihg", "did you mean high?"]),
        ({"epochs": {"low": 1, "high": 3}}, ["spaces.net.parameters.epochs", "type must be one of 'float'"]),
    ],
)
def test_a_change_that_does_not_fit(change: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        conditional().override(change, "spaces.net")
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{type: float, low: 2, high: 1}", ["a: low = 2.0 is above high = 1.0"]),
        ("{type: float, low: 0, high: 1, log: true}", ["a: a log range cannot start at 0.0"]),
        ("{type: int, low: 0, high: 4, log: true}", ["a: a log range cannot start at 0"]),
        ("{type: float, low: 1, high: 2, log: true, step: 0.5}", ["takes no step"]),
        ("{type: int, low: 1, high: 8, log: true, step: 2}", ["takes no step"]),
        ("{type: float, low: 0, high: 1, default: 2}", ["default = 2.0 lies outside 0.0 to 1.0"]),
        ("{type: int, low: 0, high: 100, step: 50, default: 20}", ["default = 20", "step 50"]),
        ("{type: int, low: 0, high: 1.5}", ["a.high", "integer", "1.5"]),
        ("{type: float, low: .nan, high: 1}", ["a.low", "finite"]),
        ("{type: float, low: 0, high: .inf}", ["a.high", "finite"]),
        ("{type: categorical, choices: []}", ["a.choices", "at least 1"]),
        ("{type: categorical, choices: [x], default: z}", ["default = 'z' is not one of ['x']"]),
        (
            "{type: flaot, low: 0, high: 1}",
            ["a: type must be one of 'float', 'int', 'categorical'", "'flaot'"],
        ),
        ("{low: 0, high: 1}", ["a: type must be one of", "left out"]),
        ("{type: float, low: 0, hgih: 1}", ["a.hgih", "did you mean high"]),
        ("{type: float, low: 0}", ["a.high", "required"]),
        ("{type: int, low: 0, high: 1, when: {b: 1}}", ["a: 'when' names b, which must be listed above it"]),
        ("5", ["a: this is a section of keys and values, not 5"]),
    ],
)
def test_a_parameter_that_cannot_be(tmp_path: Path, entry: str, words: list[str]) -> None:
    path = write_space(tmp_path, f"parameters:\n  a: {entry}\n")
    with pytest.raises(ConfigError) as caught:
        load_space("net", path)
    assert str(path) in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_numbers_in_scientific_notation_are_numbers(tmp_path: Path) -> None:
    path = write_space(tmp_path, "parameters: {a: {type: float, low: 1e-4, high: 1e-1, log: true}}")
    assert 1e-4 <= draw(load_space("net", path))["a"] <= 1e-1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1", "is not valid YAML"),
        ("5", "section of keys and values, not 5"),
        ("paramters: {}", "did you mean parameters"),
        ("parameters: {a: {type: int, low: 0, high: 1}}\nfixed: {a: 1}", "both searched and fixed"),
    ],
)
def test_a_space_file_that_cannot_be(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_space("net", write_space(tmp_path, text))


def test_a_space_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no search space .*net\.yaml"):
        load_space("net", tmp_path / "net.yaml")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"parameters": {"optimiser": {"type": "int", "low": 0, "high": 1}}}, "optimiser: .*mean optimizer"),
        ({"fixed": {"epochs": "many"}}, "epochs: .*valid integer.*'many'"),
        ({"fixed": {}}, "epochs: this key is required"),
    ],
)
def test_a_space_that_the_model_does_not_take(changes: dict[str, Any], words: str) -> None:
    raw = {**CONDITIONAL, **changes}
    if "parameters" in changes:
        raw["parameters"] = {**CONDITIONAL["parameters"], **changes["parameters"]}
    with pytest.raises(ConfigError, match=words):
        check_against_model(Space.model_validate(raw), Net, "net.yaml")  # type: ignore[arg-type]


def test_the_ends_of_a_range_are_tried_against_the_model() -> None:
    with pytest.raises(ConfigError, match=r"spaces\.random_forest\.\w+: .*not -?\d"):
        resolve_families(["random_forest"], Task.REGRESSION, {"random_forest": {"max_depth": {"low": -3}}})


@pytest.mark.parametrize("name", family_names())
def test_a_shipped_space_builds_its_model(name: str) -> None:
    space, model = load_space(name), load_family(name)
    check_against_model(space, model, name)
    assert space.description
    assert build_params(model, space.full(space.defaults()), name)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(50):
        trial = study.ask()
        space.suggest(trial)
        build_params(model, space.full(space.decode(trial.params)), name)


@pytest.mark.parametrize("name", family_names())
def test_the_default_of_a_shipped_space_can_be_enqueued(name: str, recwarn: pytest.WarningsRecorder) -> None:
    space = load_space(name)
    encoded = space.encode(space.defaults())
    assert draw(space, encoded) == encoded
    assert [str(w.message) for w in recwarn if "distribution" in str(w.message)] == []


def test_a_family_may_come_from_a_file() -> None:
    (family,) = resolve_families([PROBE], Task.REGRESSION, {"probe": {"level": 1.0}})
    assert isinstance(family, Family)
    assert family.name == "probe"
    assert family.space.fixed["level"] == 1.0
    assert family.load_model().__name__ == "Probe"


@pytest.mark.parametrize(
    ("names", "changes", "words"),
    [
        (["lightgmb"], {}, "models: there is no model 'lightgmb'.*; did you mean lightgbm"),
        (["nope.py"], {}, "models: There is no model file"),
        ([PROBE], {"prob": {}}, r"spaces\.prob: the study has no such model; it has probe"),
        ([PROBE], {"probe": {"lvl": 1}}, r"spaces\.probe\.lvl: there is no such hyperparameter"),
        ([PROBE], {"probe": {"level": "x"}}, r"spaces\.probe\.level: .*valid number.*'x'"),
    ],
)
def test_families_that_cannot_be_had(names: list[str], changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        resolve_families(names, Task.REGRESSION, changes)


def test_two_families_of_one_name_are_refused(tmp_path: Path) -> None:
    twin = tmp_path / "probe.py"
    twin.write_text(Path(PROBE).read_text())
    twin.with_suffix(".yaml").write_text(Path(PROBE).with_suffix(".yaml").read_text())
    with pytest.raises(ConfigError, match="two models are called probe"):
        resolve_families([PROBE, str(twin)], Task.REGRESSION, {})


def test_all_means_every_shipped_family_once() -> None:
    families = resolve_families(["all", "lightgbm"], Task.REGRESSION, {})
    able = [name for name in family_names() if Task.REGRESSION in load_family(name).tasks]
    assert sorted(family.name for family in families) == able
    need_gpu = [load_family(family.name).uses_gpu for family in families]
    assert need_gpu == sorted(need_gpu)  # the quick ones first


def test_a_family_that_cannot_do_the_task_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"probe cannot do binary; choose from .*lightgbm"):
        resolve_families([PROBE], Task.BINARY, {})
