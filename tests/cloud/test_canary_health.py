"""The error rate of a revision, from Cloud Run's log."""

import re

import pytest

from animals.cloud.canary_health import MAX_ERROR_RATE, MAX_ERRORS, check_error_rate, watch
from animals.cloud.gcloud import Gcloud
from animals.cloud.target import Target
from animals.cloud.template import FILES
from animals.errors import CloudError, ServiceError
from tests.support.fake_gcloud import FakeGcloud
from tests.support.flags import Flags

TARGET = Target(project="my-animals")


@pytest.mark.parametrize(
    ("statuses", "healthy"),
    [
        ([], True),
        ([500] * 4, True),
        ([500] * 5, False),
        ([200] * 244 + [503] * 5, False),
        ([200] * 245 + [503] * 5, True),
        ([200] * 4900 + [500] * 100, True),
        ([200] * 4899 + [500] * 101, False),
        ([400, 403, 404, 413, 499] * 100, True),
    ],
)
def test_the_limits_are_those_of_the_alert(statuses: list[int], healthy: bool) -> None:
    policy = (FILES / "alerts" / "errors.yaml").read_text(encoding="utf-8")
    assert re.search(rf"> {MAX_ERROR_RATE}\b", policy), policy
    assert re.search(rf">= {MAX_ERRORS}\b", policy), policy
    if healthy:
        check_error_rate(statuses, "new")
    else:
        with pytest.raises(CloudError, match=f"new answered .* of {len(statuses)} requests with errors"):
            check_error_rate(statuses, "new")


def test_errors_in_the_log_are_found(gcloud: FakeGcloud, flags: Flags) -> None:
    gcloud.answer("logging", "read", stdout="200\n503\n\n500\n502\n500\n500\n")
    with pytest.raises(CloudError, match=r"5 of 6 requests with errors \(500 to 503\)"):
        watch(TARGET, Gcloud(), "new", lambda: None, seconds=0, every=1)
    (call,) = gcloud.called("logging", "read")
    assert 'resource.labels.revision_name="new"' in str(call)
    flags.check([call.words])


def test_it_tests_repeatedly_until_the_time_is_over(gcloud: FakeGcloud) -> None:
    gcloud.answer("logging", "read", stdout="200\n")
    tested = []
    watch(TARGET, Gcloud(), "new", lambda: tested.append(1), seconds=0.5, every=0.1)
    assert len(tested) > 1
    assert len(gcloud.called("logging", "read")) == len(tested)


def test_a_test_that_fails_ends_it(gcloud: FakeGcloud) -> None:
    def test() -> None:
        raise ServiceError("it answers nonsense.")

    with pytest.raises(ServiceError):
        watch(TARGET, Gcloud(), "new", test, seconds=10, every=1)
    assert gcloud.calls == []
