"""`python -m animals.training.sweep`: search for better settings."""

import argparse
from pathlib import Path

from animals.cli import exit_on_error, split_words
from animals.training.sweep.sweep import report, search


def main() -> None:
    """Search settings in many short trainings that share one study, and report the best ones.

    The same command resumes it, and may run several times at once.
    """
    arguments = _parser().parse_args()
    with exit_on_error():
        name = arguments.name or Path(arguments.space).stem
        if not arguments.report:
            search(
                name=name,
                space=arguments.space,
                trials=arguments.trials,
                workers=arguments.workers,
                overrides=arguments.args,
                metric=arguments.metric,
                seed=arguments.seed,
            )
        report(name, save_as=arguments.save)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m animals.training.sweep", description=main.__doc__)
    parser.add_argument("--name", default="", help="its folder is runs/sweeps/NAME (default: the space's name)")
    parser.add_argument("--space", default="sample", help="a name in conf/sweep or a .yaml file (default: sample)")
    parser.add_argument("--trials", type=_positive, default=20, help="of the whole sweep (default: 20)")
    parser.add_argument("--workers", type=_positive, default=1, help="processes (default: 1)")
    parser.add_argument("--args", type=_words, default="", help="Hydra overrides of every trial, in one string")
    parser.add_argument("--metric", default="val/accuracy", choices=("val/accuracy", "val/loss"), help="looked for")
    parser.add_argument("--seed", type=int, default=0, help="of the values that are tried (default: 0)")
    parser.add_argument("--report", action="store_true", help="only show what was found so far")
    parser.add_argument("--save", default="", help="keep the best settings as the experiment of this name")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"it is {text}; expected a whole number of 1 or more")
    return int(text)


def _words(text: str) -> list[str]:
    try:
        return split_words(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} has a quotation mark without its other one") from error


if __name__ == "__main__":
    main()
