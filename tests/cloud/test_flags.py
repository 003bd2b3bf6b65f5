"""The check of flags finds those that gcloud does not know."""

import pytest

from tests.support.flags import Flags


@pytest.mark.parametrize(
    "command",
    [
        "gcloud pubsub topics describe some-topic --project=p --format=json",
        "gcloud run services replace build/no.yaml --region=europe-west1",  # a file that does not exist
        "gcloud storage buckets update gs://b --no-versioning",
    ],
)
def test_a_known_flag_passes(flags: Flags, command: str) -> None:
    flags.check([tuple(command.split())])


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("gcloud pubsub topics describe some-topic --not-this=1", "pubsub topics describe: --not-this"),
        ("gcloud pubsub topics destroy some-topic", "no such command: gcloud pubsub topics destroy"),
    ],
)
def test_an_unknown_flag_or_command_is_named(flags: Flags, command: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        flags.check([tuple(command.split())])
