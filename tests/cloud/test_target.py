"""What things are called follows from the project and the region, which Google must take."""

import pytest

from animals.cloud.target import Target
from animals.errors import ConfigError

TARGET = Target(project="my-project-1", region="us-east4")


def test_everything_is_named_after_the_project_and_the_region() -> None:
    assert TARGET.bucket == "gs://my-project-1-animals"
    assert TARGET.data_bucket == "gs://my-project-1-animals-data"
    assert TARGET.image("api", "a1b2c3d") == "us-east4-docker.pkg.dev/my-project-1/animals/api:a1b2c3d"
    assert TARGET.account("trainer") == "animals-trainer@my-project-1.iam.gserviceaccount.com"
    assert TARGET.trigger == "pubsub://projects/my-project-1/topics/animals-retrain"
    assert TARGET.secret("animals-wandb-key") == "projects/my-project-1/secrets/animals-wandb-key/versions/latest"


@pytest.mark.parametrize(
    "project", ["", "short", "1-project", "My-project", "project-", "a" * 31, "my_project", "x:my-pr", "my-google-one"]
)
def test_a_project_that_google_refuses_is_named(project: str) -> None:
    with pytest.raises(ConfigError, match=r"is not a project ID|must not contain google"):
        Target(project=project)


@pytest.mark.parametrize("region", ["", "europe", "europe-west1-b", "Europe-West1", "EU", "europe-west1; ls"])
def test_a_region_that_is_none_is_named(region: str) -> None:
    assert Target(project="my-project-1", region="northamerica-northeast2").region == "northamerica-northeast2"
    with pytest.raises(ConfigError, match="is not a region"):
        Target(project="my-project-1", region=region)


@pytest.mark.parametrize("tag", ["", "-a", "a b", "a/b", "a" * 129, "ä"])
def test_a_tag_that_no_image_can_have_is_named(tag: str) -> None:
    with pytest.raises(ConfigError, match="is not an image tag"):
        TARGET.image("api", tag)
