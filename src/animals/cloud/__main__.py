"""`python -m animals.cloud COMMAND`: set up, build, deploy and train on Google Cloud."""

import argparse
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from animals.cli import exit_on_error
from animals.cloud import build, deploy, function, vertex
from animals.cloud.gcloud import Gcloud
from animals.cloud.setup import command as setup
from animals.cloud.target import DEFAULT_REGION, Place
from animals.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Subcommand:
    """One word after `python -m animals.cloud`."""

    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    """Adds those beyond --project, --region and --dry-run."""
    run: Callable[[Place, Gcloud, argparse.Namespace], None]


COMMANDS: Final[Mapping[str, Subcommand]] = {
    "setup": Subcommand("make what the project lacks, from buckets to alerts", setup.arguments, setup.run),
    "build": Subcommand("build, test, scan and push the images, and deploy them", build.arguments, build.run),
    "deploy": Subcommand("put images to work, a part of the visitors at a time", deploy.arguments, deploy.run),
    "function": Subcommand("write the source of the report function into a folder", function.arguments, function.run),
    "train": Subcommand("train on Vertex AI", vertex.arguments, vertex.run),
}


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="animals.cloud", description=__doc__)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, subcommand in COMMANDS.items():
        one = subparsers.add_parser(name, help=subcommand.help, description=f"To {subcommand.help}.")
        known = os.environ.get("GOOGLE_CLOUD_PROJECT", "")
        one.add_argument("--project", default=known, help="ID of the project [GOOGLE_CLOUD_PROJECT]")
        one.add_argument("--region", default=DEFAULT_REGION, help=f"[{DEFAULT_REGION}]")
        one.add_argument("--dry-run", action="store_true", help="print the commands instead of running them")
        subcommand.arguments(one)
    return parser.parse_args(words)


def main() -> None:
    """Run one command."""
    arguments = parse()
    with exit_on_error():
        if not arguments.project:
            raise ConfigError("No project is named. Give --project, or set GOOGLE_CLOUD_PROJECT.")
        place = Place(project=arguments.project, region=arguments.region)
        COMMANDS[arguments.command].run(place, Gcloud(dry_run=arguments.dry_run), arguments)


if __name__ == "__main__":
    main()
