"""A step of Cloud Build or of a workflow: `python3 -m animals.cloud deploy`, or `train`.

It runs where only gcloud and Python's standard library are installed, so it has no options: environment variables
have the names of the build's substitutions. On other machines, `animals deploy` and `animals train-cloud` do the same.
"""

import os
import sys

from animals.cli import exit_on_error, split_words
from animals.cloud.deploy import deploy
from animals.cloud.gcloud import Gcloud
from animals.cloud.target import Target
from animals.cloud.vertex import TrainingOptions, train
from animals.errors import UsageError


def main() -> None:
    """Run one step."""
    values = os.environ
    with exit_on_error():
        target = Target(project=values["PROJECT_ID"], region=values["_REGION"])
        match sys.argv[1:]:
            case ["deploy"]:
                deploy(target, Gcloud(), tag=values["_TAG"])
            case ["train"]:
                options = TrainingOptions(
                    overrides=tuple(split_words(values["_ARGS"])),
                    gpu=values["_GPU"],
                    tag=values["_TAG"],
                    announce=values["_ANNOUNCE"],
                    request=values["_REQUEST"],
                    feedback=True,
                )
                train(target, Gcloud(), options)
            case words:
                raise UsageError(f"There is no step {' '.join(words)!r}; expected deploy or train.")


if __name__ == "__main__":
    main()
