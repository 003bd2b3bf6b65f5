"""`invoke build`: send a checkout to Cloud Build, which builds, tests, scans, pushes and deploys it as after a push."""

import argparse

from animals.cloud.gcloud import Command, Gcloud
from animals.cloud.target import Place
from animals.cloud.template import FILES, ROOT


def command(place: Place, tag: str, *, train_gpu: bool, deploy: bool) -> Command:
    """Return the command that starts a build and follows it.

    Args:
        place: project and region.
        tag: tag of the images.
        train_gpu: build the image for trainers with a GPU too.
        deploy: deploy the images after all tests have passed.
    """
    place.image("api", tag)  # refuse an invalid tag now, not after ten minutes
    flags = {"_TRAIN_GPU": train_gpu, "_DEPLOY": deploy}
    values = {"_REGION": place.region, "_TAG": tag} | {name: str(flag).lower() for name, flag in flags.items()}
    substitutions = ",".join(f"{name}={value}" for name, value in values.items())
    config = (FILES / "build.yaml").relative_to(ROOT).as_posix()
    words = (
        *("gcloud", "builds", "submit", ".", f"--config={config}", f"--substitutions={substitutions}"),
        *(f"--project={place.project}", f"--region={place.region}"),
    )
    return Command(words, f"build the images {tag}" + (" and deploy them" if deploy else ""))


def arguments(parser: argparse.ArgumentParser) -> None:
    """What there is to say beyond the place."""
    parser.add_argument("--tag", required=True, help="that the images get, such as the commit's short hash")
    parser.add_argument("--train-gpu", action="store_true", help="build the image for trainers with a GPU too")
    parser.add_argument("--no-deploy", action="store_true", help="leave what runs as it is")


def run(place: Place, gcloud: Gcloud, given: argparse.Namespace) -> None:
    """Build."""
    gcloud.stream(command(place, given.tag, train_gpu=given.train_gpu, deploy=not given.no_deploy))
