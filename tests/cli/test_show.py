"""`tuning show`: a study's configuration, and what is known of a trial."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from tests.study.finished import prepare, run
from tuning.cli import app
from tuning.errors import ConfigError, RecordError


def show(*words: str | Path) -> Result:
    result = CliRunner().invoke(app, ["show", *map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def classified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Storage with a finished study of three classes."""
    folder = tmp_path_factory.mktemp("classified")
    study = prepare(
        folder,
        data={"path": str(folder / "table.csv"), "target": "kind"},
        models=["lightgbm"],
        metric="f1_macro",
        spaces={"lightgbm": {"n_estimators": 20}},
        search={"trials": 1},
    )
    run(study)
    return folder / "studies"


@pytest.fixture
def regression(tmp_path: Path) -> Path:
    """Storage with a finished study of a regression."""
    run(prepare(tmp_path))
    return tmp_path / "studies"


def test_a_trial_of_a_classification_has_a_table_of_classes_and_a_matrix(classified: Path) -> None:
    text = show("demo", "best", "--storage", classified).stdout
    for title in ("demo: lightgbm-0000", "Hyperparameters", "Metrics", "Classes, validation rows"):
        assert title in text
    for part in ("validation", "test"):
        assert f"Confusion, {part} rows" in text
    assert "macro mean" in text
    assert "ROC-AUC" in text


def test_a_trial_as_json_holds_the_record_and_the_labels(classified: Path) -> None:
    content = json.loads(show("demo", "lightgbm", "--format", "json", "--storage", classified).stdout)
    assert content["trial"] == "lightgbm-0000"
    assert content["classes"] == ["a", "b", "c"]
    assert content["status"] == "completed"
    assert set(content["metrics"]) == {"train", "valid", "test"}
    assert content["params"]["n_estimators"] == 20
    for part in ("valid", "test"):
        matrix = content["details"][part]["confusion"]
        assert [sum(row) for row in matrix] == content["details"][part]["classes"]["support"]
    f1 = content["details"]["test"]["macro"]["f1"]
    assert content["metrics"]["test"]["f1_macro"] == pytest.approx(f1, rel=1e-5)


def test_pictures_of_a_trial(classified: Path, tmp_path: Path) -> None:
    shown = show("demo", "best", "--figures", tmp_path / "pictures", "--storage", classified)
    written = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert written == [f"lightgbm-0000-{what}.png" for what in ("classes", "confusion", "learning-curve")]
    assert shown.stderr.count("Wrote ") == 3


def test_a_trial_of_a_regression_has_no_details(regression: Path, tmp_path: Path) -> None:
    content = json.loads(show("demo", "best", "--format", "json", "--storage", regression).stdout)
    assert content["details"] == {}
    assert content["classes"] == []
    show("demo", "best", "--figures", tmp_path / "pictures", "--storage", regression)
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == [
        f"{content['trial']}-learning-curve.png"
    ]


def test_every_trial_can_be_shown(regression: Path) -> None:
    content: dict[str, Any] = yaml.safe_load(show("demo", "--storage", regression).stdout)
    assert content["config"]["monitoring"] == {"tensorboard": False, "mlflow": None}
    assert json.loads(show("demo", "--format", "json", "--storage", regression).stdout) == content
    for trial in ("one-0000", "one-0001", "two-0000", "two-0001"):
        assert f"demo: {trial}" in show("demo", trial, "--storage", regression).stdout
    with pytest.raises(RecordError, match="has no trial 'three'"):
        show("demo", "three", "--storage", regression)
    with pytest.raises(ConfigError, match="Type tuning show demo best --figures"):
        show("demo", "--figures", "x", "--storage", regression)


def test_passwords_are_not_shown(tmp_path: Path) -> None:
    study = prepare(tmp_path)
    text = study.folder.study_file.read_text()
    secret = "http://ann:secret@host"
    study.folder.study_file.write_text(text.replace("mlflow: null", f"mlflow: {secret}"))
    shown = show("demo", "--storage", tmp_path / "studies").stdout
    assert "secret" not in shown
    assert "ann:***@host" in shown
