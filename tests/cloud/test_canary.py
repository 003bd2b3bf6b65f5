"""Canary deployments, against a stand-in that simulates Cloud Run."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from threading import Timer

import pytest

from animals.cloud.canary import Canary
from animals.cloud.deploy import traffic_targets
from animals.cloud.gcloud import Command, Gcloud
from animals.cloud.revisions import Traffic
from animals.cloud.target import BACKEND, Target
from animals.errors import CloudError, Interrupted, ServiceError
from tests.support.cloud_run import FakeCloudRun

TARGET = Target(project="my-animals")
OLD, NEW = "animals-backend-old", "animals-backend-new"


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCloudRun:
    """A project with a served revision."""
    fake = FakeCloudRun(tmp_path / "bin", animals_backend=("https://backend", "https://candidate---backend"))
    monkeypatch.setenv("PATH", f"{fake.folder}{os.pathsep}{os.environ['PATH']}")
    fake.serves_already(BACKEND, OLD)
    return fake


Test = Callable[[int, Traffic], None]


class Recorded(list[tuple[int, dict[str, int], dict[str, tuple[str, str]]]]):
    """A test that passes, and records the share and the traffic."""

    def __call__(self, share: int, traffic: Traffic) -> None:
        self.append((share, dict(traffic.shares), dict(traffic.tags)))


def canary(folder: Path, test: Test, *, previous: str | None = OLD, pause: float = 0.01) -> Canary:
    file = folder / "service.yaml"
    text = f"metadata:\n  name: {BACKEND}\nspec:\n    metadata:\n      name: {NEW}\n"
    file.write_text(f"{text}  traffic: {traffic_targets(previous)}\n", encoding="utf-8")
    gcloud = Gcloud(waits=())
    deploy = Command(("gcloud", "run", "services", "replace", str(file)), "make it")
    return Canary(
        target=TARGET,
        gcloud=gcloud,
        service=BACKEND,
        new=NEW,
        previous=previous,
        steps=(10, 100),
        deploy=lambda: gcloud.run(deploy),
        test=test,
        pause=pause,
    )


def test_a_healthy_revision_gets_no_traffic_then_a_tenth_then_all(cloud: FakeCloudRun, tmp_path: Path) -> None:
    tested = Recorded()
    canary(tmp_path, tested).run()
    tag = {"candidate": (NEW, "https://candidate---backend")}
    assert tested == [(0, {OLD: 100, NEW: 0}, tag), (10, {NEW: 10, OLD: 90}, tag), (100, {NEW: 100}, tag)]
    assert cloud.shares(BACKEND) == {NEW: 100}
    assert cloud.services[BACKEND]["tags"] == {}, "a tag would keep an unmonitored URL"


TENTH, EVERYBODY = f"{NEW}=10,{OLD}=90", f"{NEW}=100"


@pytest.mark.parametrize(("bad", "moves"), [(0, []), (10, [TENTH]), (100, [TENTH, EVERYBODY])])
def test_a_failing_revision_loses_its_traffic(cloud: FakeCloudRun, tmp_path: Path, bad: int, moves: list[str]) -> None:
    def test(share: int, _: Traffic) -> None:
        if share == bad:
            raise ServiceError("it answers 500.")

    with pytest.raises(CloudError, match=f"{NEW} was not kept: it answers 500. {OLD} has all traffic.") as failed:
        canary(tmp_path, test).run()
    assert failed.value.exit_code == 1
    assert cloud.moves(BACKEND) == [*moves, f"{OLD}=100"]
    assert cloud.shares(BACKEND) == {OLD: 100}
    assert cloud.services[BACKEND]["tags"] == {}


def test_traffic_that_cannot_be_read_after_a_passed_test_rolls_back(cloud: FakeCloudRun, tmp_path: Path) -> None:
    def test(share: int, _: Traffic) -> None:
        if share == 10:
            cloud.answer("describe", stderr="The service is unavailable.", code=1)

    with pytest.raises(CloudError, match=f"The service is unavailable.*{OLD} has all traffic"):
        canary(tmp_path, test).run()
    assert cloud.moves(BACKEND) == [TENTH, f"{OLD}=100"]


@pytest.mark.parametrize("share", [0, 10, 100])
def test_ctrl_c_and_sigterm_roll_back(cloud: FakeCloudRun, tmp_path: Path, share: int) -> None:
    def test(now: int, _: Traffic) -> None:
        if now == share:
            signal.raise_signal(signal.SIGTERM)
            time.sleep(10)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted) as ended:
        canary(tmp_path, test).run()
    assert ended.value.exit_code == 130
    assert cloud.shares(BACKEND) == {OLD: 100}
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_revision_that_cannot_be_made_changes_nothing(cloud: FakeCloudRun, tmp_path: Path) -> None:
    cloud.answer("replace", stderr="Revision is not ready and cannot serve traffic.", code=1)
    with pytest.raises(CloudError, match="Revision is not ready"):
        canary(tmp_path, Recorded()).run()
    assert cloud.shares(BACKEND) == {OLD: 100}


def test_a_first_revision_is_tested_with_all_traffic(tmp_path: Path, cloud: FakeCloudRun) -> None:
    services = cloud.services
    services[BACKEND] |= {"revisions": [], "targets": []}
    cloud.services = services
    tested = Recorded()
    canary(tmp_path, tested, previous=None).run()
    assert [share for share, *_ in tested] == [100]
    assert cloud.shares(BACKEND) == {NEW: 100}
    assert cloud.services[BACKEND]["tags"] == {}


def test_a_first_revision_that_fails_has_none_to_go_back_to(tmp_path: Path, cloud: FakeCloudRun) -> None:
    with pytest.raises(CloudError, match="It is the first revision of animals-backend"):
        canary(tmp_path, fail, previous=None).run()
    assert cloud.moves(BACKEND) == []


@pytest.mark.parametrize(
    ("changed", "error"), [("tag", None), ("share", None), ("tag", ServiceError("bad")), ("tag", KeyboardInterrupt())]
)
def test_a_deployment_overtaken_by_another_leaves_the_traffic_as_it_is(
    tmp_path: Path, cloud: FakeCloudRun, changed: str, error: BaseException | None
) -> None:
    def test(share: int, _: Traffic) -> None:
        if share == 10:
            services = cloud.services
            if changed == "tag":
                services[BACKEND]["targets"][-1]["revisionName"] = "animals-backend-newer"
            else:
                services[BACKEND]["targets"][0]["percent"] = 0
            cloud.services = services
            if error:
                raise error

    expected = Interrupted if isinstance(error, KeyboardInterrupt) else CloudError
    with pytest.raises(expected, match="Another deployment has started"):
        canary(tmp_path, test).run()
    assert cloud.moves(BACKEND) == [TENTH]


def fail(share: int, _: Traffic) -> None:
    raise ServiceError(f"it answers 500 to {share} %.")


def test_a_failed_rollback_is_retried(tmp_path: Path, cloud: FakeCloudRun, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.answer("update-traffic", stderr="Conflict for resource", code=1, times=2)
    with pytest.raises(CloudError, match=f"{OLD} has all traffic"):
        canary(tmp_path, fail).run()
    assert cloud.moves(BACKEND) == [f"{OLD}=100"] * 3
    assert capsys.readouterr().err.count("Trying again.") == 2
    cloud.answer("update-traffic", stderr="Conflict for resource", code=1)
    with pytest.raises(CloudError, match=f"To do it by hand: gcloud run services update-traffic .*={OLD}=100"):
        canary(tmp_path, fail).run()


def test_ctrl_c_does_not_interrupt_a_rollback(tmp_path: Path, cloud: FakeCloudRun) -> None:
    cloud.answer("update-traffic", stderr="Conflict for resource", code=1, times=1)
    ctrl_c = Timer(0.5, signal.raise_signal, (signal.SIGINT,))

    def test(share: int, traffic: Traffic) -> None:
        ctrl_c.start()
        fail(share, traffic)

    with pytest.raises(CloudError):
        canary(tmp_path, test, pause=1.0).run()
    assert ctrl_c.finished.is_set()
    assert cloud.shares(BACKEND) == {OLD: 100}


def test_a_service_deleted_meanwhile_is_an_error(tmp_path: Path, cloud: FakeCloudRun) -> None:
    cloud.answer("describe", stderr="Cannot find service [animals-backend]", code=1)
    with pytest.raises(CloudError, match="was deleted during the deployment"):
        canary(tmp_path, Recorded()).run()
