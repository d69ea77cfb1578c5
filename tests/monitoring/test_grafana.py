"""The Grafana dashboard asks for what is exported."""

from __future__ import annotations

import json
import re
from typing import Any

from tuning.execution.metrics import MetricName
from tuning.monitoring import GRAFANA_FILE, GRAFANA_UID

BOARD: dict[str, Any] = json.loads(GRAFANA_FILE.read_text("utf-8"))
EXPRESSIONS = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]


def test_every_metric_of_the_project_is_on_the_dashboard_and_no_other() -> None:
    shown = {name for text in EXPRESSIONS for name in re.findall(r"\bray_(tuning_\w+)", text)}
    assert shown == {name.value for name in MetricName}


def test_the_queries_follow_the_chosen_study_and_prometheus() -> None:
    variables = {variable["name"]: variable for variable in BOARD["templating"]["list"]}
    assert variables["datasource"]["query"] == "prometheus"
    assert variables["study"]["definition"] == "label_values(ray_tuning_slots, study)"
    assert all('study=~"$study"' in text for text in EXPRESSIONS if "ray_tuning_" in text)
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in BOARD["panels"])


def test_panels_do_not_overlap_and_bear_names_of_their_own() -> None:
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in BOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23
    titles = [panel["title"] for panel in BOARD["panels"]]
    assert len(titles) == len(set(titles))
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(titles)
    assert BOARD["uid"] == GRAFANA_UID
