"""A run's folder under `runs/`: made, remembered and found again.

```
runs/<time>-<name>/
    config.yaml run.log         what was asked for, what was said
    manifest.csv                which picture is in which split
    metrics/ figures/ wandb/    how it went
    checkpoints/                best.ckpt and last.ckpt
    version/                    what is published; complete once it holds card.json
```
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from omegaconf import OmegaConf

from animals.config.training import TrainConfig
from animals.errors import ConfigError
from animals.registry import CARD
from animals.training.distributed import is_first_process

log = logging.getLogger(__name__)

RUNS: Final = Path("runs")
CONFIG: Final = "config.yaml"
MANIFEST: Final = "manifest.csv"
_VARIABLE: Final = "ANIMALS_RUN"  # tells the processes that Lightning starts for further devices
LAST: Final = Path("checkpoints", "last.ckpt")
BEST: Final = Path("checkpoints", "best.ckpt")

# What may differ between an interrupted run and its continuation: none of it changes what is learned.
_MAY_DIFFER: Final = (
    "bucket",
    "promote",
    "gate",
    "license",
    "data.title",
    "data.about",
    "tracking",
    "trainer.resume",
    "trainer.save_minutes",
    "trainer.workers",
    "data.workers",
)


def open_run(config: TrainConfig) -> Path:
    """The folder to work in: an unfinished run's if `trainer.resume` says so, else a new one.

    Raises:
        ConfigError: the run to go on with is finished, has no checkpoint, or was configured otherwise.
    """
    if is_first_process():
        run = _found_run(config) or _new_run(config)
        os.environ[_VARIABLE] = str(run)
        return run
    # The others write nothing; they must only find the checkpoint to go on from.
    if known := os.environ.get(_VARIABLE):
        return Path(known)
    return _found_run(config) or RUNS / "none"


def _found_run(config: TrainConfig) -> Path | None:
    """The run that `trainer.resume` asks to go on with."""
    resume = config.trainer.resume
    if resume == "never":
        return None
    if resume != "auto":
        return _chosen_run(Path(resume), config)
    found = _last_unfinished(config)
    if not found:
        log.info("No unfinished run of this configuration in %s; starting a new one", RUNS)
    return found


def _new_run(config: TrainConfig) -> Path:
    started = f"{datetime.now().astimezone():%Y%m%d-%H%M%S}-{config.name}"
    for number in range(2, 100):  # several may start in the same second
        run = RUNS / (started if number == 2 else f"{started}-{number - 1}")
        try:
            run.mkdir(parents=True)
        except FileExistsError:
            continue
        OmegaConf.save(OmegaConf.structured(config), run / CONFIG)
        return run
    raise ConfigError(f"{RUNS} holds a hundred runs named {started}. Give this one another name=...")


def _chosen_run(run: Path, config: TrainConfig) -> Path:
    if not (run / LAST).is_file():
        raise ConfigError(f"trainer.resume={run}: there is no {run / LAST} to go on from.")
    if (run / "version" / CARD).is_file():
        raise ConfigError(f"trainer.resume={run}: that run is finished. Publish it again with: invoke publish {run}")
    if different := _differences(run, config):
        raise ConfigError(
            f"trainer.resume={run}: that run was configured otherwise in {', '.join(different)}. Give the same "
            f"settings (they are in {run / CONFIG}), or start a new run."
        )
    return run


def _last_unfinished(config: TrainConfig) -> Path | None:
    for path in sorted(RUNS.glob(f"*/{LAST.as_posix()}"), reverse=True):
        run = path.parent.parent
        if not (run / "version" / CARD).is_file() and not _differences(run, config):
            return run
    return None


def _differences(run: Path, config: TrainConfig) -> list[str]:
    """Settings in which a run was configured otherwise, as dotted keys."""
    if not (run / CONFIG).is_file():
        return [CONFIG]
    before = OmegaConf.to_container(OmegaConf.load(run / CONFIG))
    old, new = dict(_flat(before)), dict(_flat(asdict(config)))
    return sorted(key for key in old | new if old.get(key) != new.get(key) and not key.startswith(_MAY_DIFFER))


def _flat(settings: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


@contextmanager
def logged(run: Path) -> Iterator[None]:
    """Write the first process's log to `run.log` too, with times and places, as long as the block lasts."""
    if not is_first_process():
        yield
        return
    run.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(run / "run.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    try:
        yield
    except Exception as error:
        log.debug("The run failed", exc_info=error)
        raise
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
