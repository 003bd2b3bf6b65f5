from importlib.resources import files

import numpy as np
import pytest

from animals.animals10 import ANIMALS10_FOLDERS
from animals.data.sample.drawings import CREDITS, STYLES, Drawing, clutter, drawings_of, render


def test_every_style_draws_every_label_and_clutter_has_no_animal() -> None:
    drawings = {(style, folder): drawings_of(style, folder) for style in STYLES for folder in ANIMALS10_FOLDERS}
    assert all(drawings.values())
    animals = {drawing.name for some in drawings.values() for drawing in some}
    assert len(clutter()) > 100
    assert animals.isdisjoint(drawing.name for drawing in clutter())


def test_every_style_is_credited_in_the_notice_and_its_licence_is_included() -> None:
    art = files("animals.data.sample") / "art"
    notice = (art / "NOTICE.md").read_text(encoding="utf-8")
    rows = {cells[1].strip(): cells for line in notice.splitlines() if len(cells := line.split("|")) > 5}
    for style, credit in CREDITS.items():
        assert credit.name in rows[style][2]
        assert (rows[style][4].strip(), rows[style][5].strip()) == (credit.licence, credit.by)
        assert (art / f"LICENSE-{credit.licence.replace(' ', '-')}.txt").is_file()


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
