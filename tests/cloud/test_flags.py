"""The check of flags finds what gcloud does not know."""

import pytest

from tests.support.flags import Flags


def test_a_flag_that_is_there_passes(flags: Flags) -> None:
    flags.check([("gcloud", "pubsub", "topics", "describe", "some-topic", "--project=p", "--format=json")])


def test_a_flag_that_is_not_there_is_named(flags: Flags) -> None:
    with pytest.raises(AssertionError, match=r"pubsub topics describe: --not-this"):
        flags.check([("gcloud", "pubsub", "topics", "describe", "some-topic", "--not-this=1")])


def test_a_command_that_is_not_there_is_named(flags: Flags) -> None:
    with pytest.raises(AssertionError, match="no such command: gcloud pubsub topics destroy"):
        flags.check([("gcloud", "pubsub", "topics", "destroy", "some-topic")])


def test_a_file_that_is_not_there_does_not_hide_the_help(flags: Flags) -> None:
    flags.check([("gcloud", "run", "services", "replace", "build/no.yaml", "--region=europe-west1")])


def test_the_opposite_of_a_flag_is_one(flags: Flags) -> None:
    flags.check([("gcloud", "storage", "buckets", "update", "gs://b", "--no-versioning")])
