"""What the documentation shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tuning.config import validate_config
from tuning.data import SplitConfig, TargetConfig, prepare, read_frame
from tuning.data.config import DataConfig
from tuning.families import resolve_families
from tuning.models import Task
from tuning.store import Status
from tuning.trial import FoldRows, TrialLoop, TrialSpec


def _blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / page).read_text("utf-8"), re.DOTALL)


def test_the_model_of_the_guide_trains_and_goes_on(tmp_path: Path, abalone: Path) -> None:
    (tmp_path / "ridge.py").write_text(_blocks("own-model.md", "python")[0])
    (tmp_path / "ridge.yaml").write_text(_blocks("own-model.md", "yaml")[0])
    (family,) = resolve_families([str(tmp_path / "ridge.py")], Task.REGRESSION, {})
    frame = read_frame(str(abalone))
    data = DataConfig(path=str(abalone), target="rings")
    prepared = prepare(frame, data, TargetConfig(), SplitConfig(), "rmse", 0)
    fold = prepared.folds[0]
    spec = TrialSpec("ridge", 0, family.space.full(family.space.defaults()), 0, 27, frozenset({1, 3, 9, 27}))
    rows = [FoldRows(fold.schema, fold.train, fold.valid)]
    report = TrialLoop(spec, family.load_model(), rows, prepared.metric, tmp_path).step()
    assert report.result is not None
    assert report.result.status is Status.COMPLETED
    assert report.result.value == pytest.approx(2.2, abs=0.3)


def test_the_study_file_of_the_guide_is_valid() -> None:
    raw = yaml.safe_load(_blocks("study-file.md", "yaml")[0])
    config = validate_config(raw, "docs/study-file.md")
    assert config.search.time_budget_s == 8 * 3600
    assert set(raw) == set(type(config).model_fields), "the guide shows every section"


@pytest.mark.parametrize(
    "page", ["README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
)
def test_what_a_page_links_to_is_there(page: str) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / page).read_text("utf-8"))
    assert [target for target in targets if not (ROOT / page).parent.joinpath(target).exists()] == []


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert pages <= set(re.findall(r"\]\(([^)]+)\)", index))
