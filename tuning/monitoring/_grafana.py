"""The Grafana dashboard of the metrics that a running study exports through Ray."""

from __future__ import annotations

from pathlib import Path

GRAFANA_FILE = Path(__file__).with_name("grafana.json")
"""To be imported into Grafana; it asks for the Prometheus to read from."""

GRAFANA_UID = "tuning-studies"
"""The dashboard's address in Grafana: `/d/<uid>`."""
