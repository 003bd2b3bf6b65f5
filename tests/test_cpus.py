"""A container's quota counts, not the machine that it runs on."""

from pathlib import Path

import pytest

from animals import cpus
from animals.cpus import available_cpus


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("100000 100000", 1), ("150000 100000", 2), ("5000 100000", 1), ("640000000 100000", None), ("max 100000", None)],
)
def test_a_containers_quota_limits_the_cpus(
    quota: str, expected: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpus, "CPU_QUOTA", tmp_path / "absent")
    allowed = available_cpus()
    (tmp_path / "cpu.max").write_text(f"{quota}\n", encoding="utf-8")
    monkeypatch.setattr(cpus, "CPU_QUOTA", tmp_path / "cpu.max")
    assert available_cpus() == min(allowed, expected or allowed)
