from importlib.resources import files

import numpy as np
import pytest

from animals.animals10 import ANIMALS10_FOLDERS
from animals.data.sample.drawings import CREDITS, STYLES, Drawing, clutter, drawings_of, render


@pytest.mark.parametrize("style", STYLES)
def test_every_style_draws_every_label(style: str) -> None:
    assert [folder for folder in ANIMALS10_FOLDERS if not drawings_of(style, folder)] == []


def test_a_folder_that_is_not_there_has_no_drawings() -> None:
    assert drawings_of("noto", "pinguino") == ()


def test_clutter_is_plenty_and_holds_no_animal() -> None:
    animals = {
        drawing.name for style in STYLES for folder in ANIMALS10_FOLDERS for drawing in drawings_of(style, folder)
    }
    assert len(clutter()) > 100
    assert animals.isdisjoint(drawing.name for drawing in clutter())


def test_every_style_is_credited_in_the_notice_with_its_licence() -> None:
    notice = (files("animals.data.sample") / "art" / "NOTICE.md").read_text(encoding="utf-8")
    rows = {cells[1].strip(): cells for line in notice.splitlines() if len(cells := line.split("|")) > 5}
    for style, credit in CREDITS.items():
        assert credit.name in rows[style][2]
        assert (rows[style][4].strip(), rows[style][5].strip()) == (credit.licence, credit.by)


@pytest.mark.parametrize("licence", sorted({credit.licence for credit in CREDITS.values()}))
def test_every_licence_lies_beside_the_drawings(licence: str) -> None:
    text = files("animals.data.sample") / "art" / f"LICENSE-{licence.replace(' ', '-')}.txt"
    assert len(text.read_text(encoding="utf-8")) > 100


@pytest.mark.parametrize("style", STYLES)
def test_a_drawing_is_cut_to_what_is_drawn_with_a_clear_margin(style: str) -> None:
    alpha = np.asarray(render(drawings_of(style, "gatto")[0], 64).getchannel("A"))
    assert 20 < max(alpha.shape) <= 68
    ring = np.concatenate([alpha[:2].ravel(), alpha[-2:].ravel(), alpha[:, :2].ravel(), alpha[:, -2:].ravel()])
    assert not ring.any()
    inner = alpha[2:-2, 2:-2]
    assert all(edge.any() for edge in (inner[0], inner[-1], inner[:, 0], inner[:, -1]))


def test_a_drawing_is_rendered_once() -> None:
    drawing = Drawing("noto", "gatto", "cat")
    assert render(drawing, 48) is render(drawing, 48)
