"""Some traffic and feedback: what people would send, from pictures whose labels are known."""

import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import requests
from PIL import Image, ImageEnhance, ImageFilter

from animals import registry
from animals.errors import AnimalsError, DataError
from animals.preprocess import open_picture
from animals.storage import Storage

SPOILED: Final = 0.2
"""Share of the pictures that come darker, blurred or small."""

KEPT: Final = 0.25
"""Share of the judgements whose person lets the picture be kept."""

MOST: Final = 300
"""Pictures that are sent, at most."""

TRIES: Final = 10
"""Of a request that is told to come again."""

REPORT_SECONDS: Final = 300.0
"""That a report may take on a busy machine."""


@dataclass(frozen=True, slots=True)
class Known:
    """A picture whose label is known."""

    path: Path
    label: str


@dataclass(slots=True)
class Tally:
    """What was sent, and how it was answered; all are counts of pictures."""

    asked: int = 0
    right: int = 0
    spoiled: int = 0
    judged: int = 0
    kept: int = 0


def known_pictures(storage: Storage) -> list[Known]:
    """The pictures that the serving version was measured on, at most `MOST`, in an order of chance.

    Raises:
        NoModel: nothing is published.
        BrokenModel: the version's table cannot be read.
        DataError: its pictures are not on this machine.
    """
    import pandas as pd  # takes a second

    card = registry.read_card(storage, registry.read_current(storage).version)
    table = pd.read_parquet(BytesIO(registry.read_file(storage, card, registry.REFERENCE)))
    root = Path(card.config["data"]["root"])
    table = table.sample(frac=1, random_state=0)
    names, labels = (table[column].astype(str).tolist() for column in ("picture", "target"))
    known = [Known(root / name, label) for name, label in zip(names, labels, strict=True)]
    here = [picture for picture in known if picture.path.is_file()]
    if not here:
        raise DataError(
            f"The pictures of {card.version}, which serves, are not on this machine: expected them in {root}. "
            "For a demonstration with others, name another bucket: ANIMALS_BUCKET=data/demo invoke demo"
        )
    return here[:MOST]


def send(backend: str, pictures: Sequence[Known], *, between: Callable[[], None]) -> Tally:
    """Ask the backend about each picture, and tell it what is really there.

    Args:
        backend: its URL.
        pictures: some of them are spoiled first.
        between: called after each, to look whether all is well.

    Raises:
        AnimalsError: the backend refuses, or cannot be reached.
    """
    tally, rng = Tally(), np.random.default_rng(0)
    with requests.Session() as session:
        session.trust_env = False  # a proxy is for other machines
        for known in pictures:
            data, spoiled = _file(known.path, rng)
            answer = _post(session, f"{backend}/classify/", files={"file": (known.path.name, data)})
            tally.asked += 1
            tally.spoiled += spoiled
            tally.right += answer["prediction"] == known.label
            keep = rng.random() < KEPT
            picture = {"picture": b64encode(data).decode()} if keep else {}
            judgement = {"x": known.label, "prediction_id": answer["prediction_id"], **picture}
            tally.judged += _post(session, f"{backend}/post_data/", json=judgement)["stored"]
            tally.kept += keep
            between()
    return tally


def fetch_report(url: str, path: Path) -> None:
    """Write the report that a function makes now.

    Raises:
        AnimalsError: it cannot be reached, or has none.
    """
    with requests.Session() as session:
        session.trust_env = False
        try:
            response = session.get(url, timeout=REPORT_SECONDS)
        except requests.RequestException as error:
            raise AnimalsError(f"{url} cannot be reached: {error}.") from error
    path.write_bytes(_checked(response).content)


def _file(path: Path, rng: np.random.Generator) -> tuple[bytes, bool]:
    """A picture's file, and whether it is spoiled."""
    if rng.random() >= SPOILED:
        return path.read_bytes(), False
    change = _CHANGES[int(rng.integers(len(_CHANGES)))]
    file = BytesIO()
    change(open_picture(path)).save(file, "JPEG", quality=80)
    return file.getvalue(), True


def _darker(image: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(0.4)


def _blurred(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(image.width / 60))


def _small(image: Image.Image) -> Image.Image:
    return image.resize((max(1, image.width // 5), max(1, image.height // 5)))


_CHANGES: Final = (_darker, _blurred, _small)


def _post(session: requests.Session, url: str, **body: Any) -> dict[str, Any]:
    for _ in range(TRIES):
        try:
            response = session.post(url, timeout=30, **body)
        except requests.RequestException as error:
            raise AnimalsError(f"{url} cannot be reached: {error}.") from error
        if response.status_code != requests.codes.unavailable:
            break
        time.sleep(float(response.headers.get("Retry-After", 1)))
    found: dict[str, Any] = _checked(response).json()
    return found


def _checked(response: requests.Response) -> requests.Response:
    if not response.ok:
        raise AnimalsError(f"{response.url} answers {response.status_code}: {response.text[:300]}")
    return response
