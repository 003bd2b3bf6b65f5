"""Alerting rules fire as they say on given series, and each has a page that says what to do."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.cloud.monitoring_v3 import AlertPolicy

from animals.monitoring.gauges import gauges
from animals.monitoring.retrain_check import CheckResult
from animals.records import now
from animals.serving.metrics import Metrics
from tests.support.environments import do_without
from tests.support.findings import DRIFTED, decided, feedback

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "dockerfiles" / "prometheus"
POLICIES = sorted((ROOT / "cloudbuild_files" / "alerts").glob("*.yaml"))
RULES: list[dict[str, Any]] = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text(encoding="utf-8"))["groups"][0][
    "rules"
]
PAGE = (ROOT / "docs" / "design" / "alerts.md").read_text(encoding="utf-8")


def policy(path: Path) -> AlertPolicy:
    """As Cloud Monitoring reads it: a field that it does not know is an error."""
    found: AlertPolicy = AlertPolicy.from_json(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8"))))
    return found


def queries(path: Path) -> list[str]:
    conditions = policy(path).conditions
    return [
        condition.condition_prometheus_query_language.query
        for condition in conditions
        if condition.condition_prometheus_query_language.query
    ]


def promtool(*arguments: str | Path) -> None:
    program = shutil.which("promtool")
    if program is None:
        do_without("promtool", debian="prometheus")
    done = subprocess.run([program, *arguments], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_configuration_and_rules() -> None:
    promtool("check", "config", PROMETHEUS / "prometheus.yml")


def test_each_rule_fires_when_it_should_and_is_quiet_otherwise() -> None:
    promtool("test", "rules", Path(__file__).with_name("alerts_test.yml"))


def test_the_rules_look_at_numbers_that_are_told() -> None:
    backend = Metrics()
    backend.set_model("r1", ["cat"], now())
    report = gauges(decided(feedback=feedback(100, 75, (0.65, 0.83)), drift=DRIFTED, days_drifted=3))
    text = backend.text().decode() + report.decode()
    backend.count_request("/classify", 200, 0.1)
    told = set(re.findall(r"^(animals_\w+)", text + backend.text().decode(), re.MULTILINE))
    for rule in RULES:
        wanted = set(re.findall(r"\banimals_\w+", rule["expr"]))
        assert wanted, rule["alert"]
        assert wanted <= told, rule["alert"]


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_cloud_monitoring_takes_the_policy(path: Path) -> None:
    found = policy(path)
    assert found.severity in (AlertPolicy.Severity.CRITICAL, AlertPolicy.Severity.WARNING)
    assert len(found.conditions) == 1
    assert found.combiner == AlertPolicy.ConditionCombinerType.OR
    assert (
        path.relative_to(ROOT).as_posix() in path.read_text(encoding="utf-8").splitlines()[0]
    )  # its command names this file


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_a_policy_that_looks_at_logs_finds_the_line_of_the_daily_check(path: Path) -> None:
    found = policy(path)
    log = found.conditions[0].condition_matched_log
    if not log.filter:
        assert queries(path)
        return
    assert found.alert_strategy.notification_rate_limit.period.total_seconds() > 0  # without it the policy is refused
    fields = re.findall(r"jsonPayload\.(\w+)", log.filter + str(dict(log.label_extractors)))
    assert {"event", "version"} < set(fields) <= set(CheckResult.model_fields)
    assert f'jsonPayload.event="{CheckResult.model_fields["event"].default}"' in log.filter


def test_the_queries_of_the_policies_are_right_in_form(tmp_path: Path) -> None:
    rules = [{"alert": path.stem, "expr": query} for path in POLICIES for query in queries(path)]
    assert len(rules) >= 3
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "policies", "rules": rules}]}), encoding="utf-8")
    promtool("check", "rules", path)


def test_both_worlds_have_the_same_alerts() -> None:
    names = {policy(path).display_name.removeprefix("animals/") for path in POLICIES}
    assert names - {"Unreachable"} == {rule["alert"] for rule in RULES}  # Prometheus does not ask from outside


def test_every_alert_leads_to_what_it_means() -> None:
    headings = {line.removeprefix("## ").lower() for line in PAGE.splitlines() if line.startswith("## ")}
    links = [rule["annotations"]["runbook"] for rule in RULES]
    links += [policy(path).documentation.content.rpartition(" ")[2] for path in POLICIES]
    for link in links:
        page, _, heading = link.partition("#")
        assert page == "docs/design/alerts.md"
        assert heading in headings
