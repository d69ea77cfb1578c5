"""A model keeps to its share of a GPU. No card is needed: what the libraries are asked for is looked at."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import catboost
import pytest
import torch
import yaml

from tuning import search_spaces
from tuning.models import Task, load_family
from tuning.models._torch_memory import limit_gpu_memory, usable_bytes

sys.path.insert(0, str(Path(__file__).parent))
from cases import default_config, make_problem
from test_trees import build

GIB = 2**30
CARD = torch.device("cuda")


@pytest.fixture
def fraction(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """A card of 16 GiB, 12 of them free, with torch's limit for this process."""
    limit = {"now": 1.0}
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=16 * GIB)
    )
    monkeypatch.setattr(
        torch.cuda, "set_per_process_memory_fraction", lambda part, device: limit.update(now=part)
    )
    monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", lambda device: limit["now"])
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (12 * GIB, 16 * GIB))
    return limit


def test_torch_is_kept_within_the_share_less_the_context(fraction: dict[str, float]) -> None:
    limit_gpu_memory(CARD, 0.25)
    assert fraction["now"] * 16 * GIB == 3.5 * GIB
    assert usable_bytes(CARD) == 3.5 * GIB, "rows are placed by what the process may take"


def test_the_next_trial_of_the_process_lifts_the_limit(fraction: dict[str, float]) -> None:
    limit_gpu_memory(CARD, 0.25)
    limit_gpu_memory(CARD, 1.0)
    assert fraction["now"] == 1.0
    assert usable_bytes(CARD) == 12 * GIB, "what is free, where nothing else limits it"


def test_a_network_sets_the_limit_before_it_lies_on_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[tuple[str, float]] = []
    monkeypatch.setattr(
        "tuning.models._torch.limit_gpu_memory", lambda device, share: events.append((device.type, share))
    )
    problem = make_problem(Task.REGRESSION)
    family = load_family("dual_path")
    monkeypatch.setattr(family, "build", lambda *args: events.append(("built", 0.0)) or torch.nn.Linear(1, 1))
    space = yaml.safe_load((Path(search_spaces.__file__).parent / "dual_path.yaml").read_text())
    family(family.Params(**default_config(space)), problem.schema, gpu_share=0.5)
    assert events == [("cpu", 0.5), ("built", 0.0)]


def test_on_a_cpu_nothing_is_limited(fraction: dict[str, float]) -> None:
    limit_gpu_memory(torch.device("cpu"), 0.25)
    assert fraction["now"] == 1.0


@pytest.mark.parametrize(
    ("device", "share", "part"), [("cuda", 0.5, 0.475), ("cuda", 2.0, 0.95), ("cpu", 0.5, None)]
)
def test_catboost_asks_for_its_share_of_what_is_free(
    device: str, share: float, part: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    class Library(catboost.CatBoost):  # type: ignore[misc]
        tree_count_ = 20

        def __init__(self, params: dict[str, Any]) -> None:
            asked.update(params)
            super().__init__({"iterations": 1})

        def fit(self, *args: Any, **options: Any) -> None:
            """No card to train on."""

        def predict(self, pool: catboost.Pool, **options: Any) -> Any:
            return torch.zeros(pool.num_row()).numpy()

    monkeypatch.setattr(catboost, "CatBoost", Library)
    problem = make_problem(Task.REGRESSION)
    model = build("catboost", problem.schema)
    model.device, model.gpu_share = device, share
    model.bind(problem.train, problem.valid)
    model.advance()
    assert asked.get("gpu_ram_part") == part
