"""The files that the set-up gives to gcloud are what Google's services take."""

import json
import re
from pathlib import Path

import pytest
from google.cloud.monitoring_dashboard_v1 import Dashboard

from animals.cloud.setup import alerting, buckets
from animals.monitoring.retrain_check import CheckResult

RULES = {name: json.loads(path.read_text(encoding="utf-8"))["rule"] for name, path in buckets.RULES.items()}


@pytest.mark.parametrize("name", RULES)
def test_no_rule_deletes_a_living_model_feedback_or_picture(name: str) -> None:
    for rule in RULES[name]:
        condition = rule["condition"]
        if rule["action"]["type"] == "Delete" and condition.get("isLive") is not False:
            assert condition["matchesPrefix"]
            for kept in ("models/r7/card.json", "models/current.json", "feedback/date=2026-11-24/a.json", "data/files"):
                assert not kept.startswith(tuple(condition["matchesPrefix"])), kept
            assert condition["age"] >= 90


def test_cloud_monitoring_takes_the_dashboard() -> None:
    text = alerting.DASHBOARD.read_text(encoding="utf-8")
    dashboard = Dashboard.from_json(text)  # a field that it does not know is an error
    tiles = dashboard.mosaic_layout.tiles
    taken = [(tile.x_pos, tile.y_pos) for tile in tiles]
    assert len(set(taken)) == len(tiles) == 10
    assert all(tile.x_pos + tile.width <= dashboard.mosaic_layout.columns for tile in tiles)
    for service in ("animals-backend", "animals-frontend", "animals-report"):
        assert service in text or re.search(rf"animals-\([^)]*{service.removeprefix('animals-')}", text)


def test_the_dashboard_shows_every_metric_from_the_log() -> None:
    text = alerting.DASHBOARD.read_text(encoding="utf-8")
    metrics = sorted(path.stem for path in alerting.METRICS.glob("*.json"))
    assert metrics == sorted(set(re.findall(r"user_(\w+)_sum", text)))


@pytest.mark.parametrize("path", sorted(alerting.METRICS.glob("*.json")), ids=lambda path: path.stem)
def test_a_metric_reads_a_field_of_the_line_that_the_check_prints(path: Path) -> None:
    metric = json.loads(path.read_text(encoding="utf-8"))
    fields = set(re.findall(r"jsonPayload\.(\w+)", metric["filter"] + metric["valueExtractor"]))
    assert fields <= set(CheckResult.model_fields)
    assert metric["metricDescriptor"]["valueType"] == "DISTRIBUTION"  # without it nothing can be taken out
