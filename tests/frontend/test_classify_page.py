"""The page on which people ask, run without a browser."""

import base64
import json

import pytest
from streamlit.testing.v1 import AppTest

from animals.frontend import __main__ as start
from tests.frontend.conftest import MODEL, answer
from tests.support.published import plain
from tests.support.stand_in import Said, StandIn, say


@pytest.fixture
def page(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page as it is first seen."""
    monkeypatch.setenv("ANIMALS_BACKEND", stand_in.url)
    return run(AppTest.from_file(str(start.APP), default_timeout=20))


def run(page: AppTest) -> AppTest:
    page.run()
    assert not page.exception
    return page


def upload(page: AppTest, *colours: str) -> AppTest:
    files = [(f"{colour}.png", plain(colour), "image/png") for colour in colours]
    page.file_uploader(key="uploads").set_value(files)
    return run(page)


def click(page: AppTest, label: str) -> AppTest:
    button = next(button for button in page.button if button.label == label)
    button.click()
    return run(page)


def buttons(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def said(page: AppTest) -> str:
    """All text on the page."""
    kinds = (page.title, page.subheader, page.markdown, page.caption, page.success, page.warning, page.error)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def judgements(stand_in: StandIn) -> list[dict[str, str]]:
    return [json.loads(heard.body) for heard in stand_in.on("/post_data/")]


def test_it_says_what_the_model_knows(page: AppTest) -> None:
    assert "I tell cat\\, cow and dog apart." in said(page)


def test_a_picture_is_answered_with_label_words_version_and_time(page: AppTest) -> None:
    upload(page, "lime")
    assert [heading.value for heading in page.subheader] == ["Cat"]
    assert "very probably\\: 93 \\%" in said(page)
    assert "Version r1 answered in" in said(page)


def test_several_pictures_are_answered_the_newest_first(page: AppTest, stand_in: StandIn) -> None:
    stand_in.answers["/classify/"] = [say(answer(dog=0.8, cat=0.2)), say(answer(cow=0.6, cat=0.4))]
    upload(page, "lime", "blue")
    assert [heading.value for heading in page.subheader] == ["Dog", "Cow"]
    assert b'filename="blue.png"' in stand_in.on("/classify/")[0].body


def test_a_picture_is_asked_about_once_however_often_the_page_is_made_anew(page: AppTest, stand_in: StandIn) -> None:
    upload(page, "lime", "lime")
    run(page)
    assert len(stand_in.on("/classify/")) == 1


def test_an_example_is_answered_until_another_picture_comes(page: AppTest, stand_in: StandIn) -> None:
    click(page, "Cat")
    assert b'filename="cat.jpg"' in stand_in.on("/classify/")[0].body
    assert len(page.subheader) == 1
    upload(page, "lime")
    assert len(page.subheader) == 1
    assert b'filename="lime.png"' in stand_in.on("/classify/")[1].body


def test_the_camera_is_off_until_it_is_wanted(page: AppTest, stand_in: StandIn) -> None:
    assert not page.camera_input
    page.toggle[0].set_value(True)
    run(page)
    page.camera_input[0].upload("any.jpg", plain("lime", kind="JPEG"))
    run(page)
    assert b'filename="camera.jpg"' in stand_in.on("/classify/")[0].body


def test_an_unsure_answer_says_so(page: AppTest, stand_in: StandIn) -> None:
    stand_in.answers["/classify/"] = [say(answer(cat=0.45, cow=0.35, dog=0.2))]
    upload(page, "lime")
    assert [heading.value for heading in page.subheader] == ["Cat\\?"]
    assert "hard to say\\: 45 \\%\\, or perhaps cow" in said(page)


def test_a_picture_that_fits_nothing_is_said_to(page: AppTest, stand_in: StandIn) -> None:
    stand_in.answers["/model"] = [say(MODEL | {"unknown_below": 0.95})]
    upload(page, "lime")
    assert [heading.value for heading in page.subheader] == ["None of the 3\\?"]


def test_what_fits_nothing_can_be_said_to_be_the_nearest_label_but_not_by_a_yes(
    page: AppTest, stand_in: StandIn
) -> None:
    stand_in.answers["/model"] = [say(MODEL | {"unknown_below": 0.95})]
    upload(page, "lime")
    assert "Yes" not in buttons(page)
    assert page.pills[0].options == ["cat", "cow", "dog"]
    page.pills[0].set_value("cat")
    run(page)
    assert [judgement["x"] for judgement in judgements(stand_in)] == ["cat"]


def test_the_threshold_of_one_version_says_nothing_about_the_answer_of_another(
    page: AppTest, stand_in: StandIn
) -> None:
    stand_in.answers["/model"] = [say(MODEL | {"version": "r2", "unknown_below": 0.95})]
    upload(page, "lime")
    assert [heading.value for heading in page.subheader] == ["Cat"]


def test_a_refused_picture_has_the_reason_in_its_place_and_others_are_answered(
    page: AppTest, stand_in: StandIn
) -> None:
    stand_in.answers["/classify/"] = [say({"detail": "This is no picture."}, 415), say(answer(cat=0.9, cow=0.1))]
    upload(page, "lime", "blue")
    assert [error.value for error in page.error] == ["This is no picture\\."]
    assert [heading.value for heading in page.subheader] == ["Cat"]
    assert "Try again" not in buttons(page)


def test_what_is_no_picture_is_named_instead_of_shown(page: AppTest, stand_in: StandIn) -> None:
    stand_in.answers["/classify/"] = [say({"detail": "This is no picture."}, 415)]
    page.file_uploader(key="uploads").set_value([("<b>x.png", b"hello", "image/png")])
    run(page)
    assert "\\<b\\>x\\.png" in said(page)


def test_a_backend_that_is_away_is_said_to_be_and_the_retry_goes_on_where_it_was(
    page: AppTest, stand_in: StandIn
) -> None:
    stand_in.answers["/model"] = [say({"detail": "No model is published yet."}, 503, Retry_After="5"), say(MODEL)]
    upload(page, "lime")
    assert [warning.value for warning in page.warning] == ["No model is published yet\\."]
    click(page, "Try again")
    assert [heading.value for heading in page.subheader] == ["Cat"]


def test_a_picture_that_could_not_be_answered_can_be_tried_again(page: AppTest, stand_in: StandIn) -> None:
    stand_in.answers["/classify/"] = [Said(502), say(answer(cat=0.9, cow=0.1))]
    upload(page, "lime")
    assert [warning.value for warning in page.warning] == [
        "The model cannot be reached\\. Try again in a few seconds\\."
    ]
    click(page, "Try again")
    assert [heading.value for heading in page.subheader] == ["Cat"]
    assert not page.warning


def test_yes_sends_the_answers_own_label_without_the_picture(page: AppTest, stand_in: StandIn) -> None:
    upload(page, "lime")
    click(page, "Yes")
    assert judgements(stand_in) == [{"x": "cat", "prediction_id": "signed-by-the-backend-cat"}]
    assert "Stored: you say **cat**" in said(page)
    assert "The picture is not stored." in said(page)
    assert "Yes" not in buttons(page)


def test_no_and_a_label_sends_that_label(page: AppTest, stand_in: StandIn) -> None:
    stand_in.answers["/post_data/"] = [say({"stored": True, "label": "dog", "picture": False})]
    upload(page, "lime")
    assert not page.pills
    click(page, "No")
    assert page.pills[0].options == ["cow", "dog"]
    page.pills[0].set_value("dog")
    run(page)
    assert judgements(stand_in)[0]["x"] == "dog"
    assert "Stored: you say **dog**" in said(page)


def test_the_picture_is_sent_along_only_when_the_box_was_ticked(page: AppTest, stand_in: StandIn) -> None:
    stand_in.answers["/post_data/"] = [say({"stored": True, "label": "cat", "picture": True})]
    upload(page, "lime")
    assert not page.checkbox[0].value
    page.checkbox[0].check()
    click(page, "Yes")
    assert base64.b64decode(judgements(stand_in)[0]["picture"]) == plain("lime")
    assert "The picture is stored too." in said(page)


def test_feedback_that_could_not_be_sent_is_shown_and_sent_again(page: AppTest, stand_in: StandIn) -> None:
    stand_in.answers["/post_data/"] = [
        say({"detail": "The bucket cannot be reached."}, 503, Retry_After="9"),
        say({"stored": True, "label": "cat"}),
    ]
    upload(page, "lime")
    click(page, "Yes")
    assert "**Not stored.**" in said(page)
    assert "The bucket cannot be reached\\." in said(page)
    assert not page.success
    click(page, "Try again")
    assert page.success
    assert judgements(stand_in) == [{"x": "cat", "prediction_id": "signed-by-the-backend-cat"}] * 2


def test_feedback_is_sent_once_however_often_the_page_is_made_anew(page: AppTest, stand_in: StandIn) -> None:
    upload(page, "lime")
    click(page, "Yes")
    run(page)
    assert len(judgements(stand_in)) == 1


def test_a_changed_mind_can_judge_again(page: AppTest, stand_in: StandIn) -> None:
    upload(page, "lime")
    click(page, "Yes")
    click(page, "Change what I said")
    click(page, "No")
    page.pills[0].set_value("cow")
    run(page)
    assert [judgement["x"] for judgement in judgements(stand_in)] == ["cat", "cow"]


def test_an_api_key_is_sent_where_one_is_set(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMALS_BACKEND", stand_in.url)
    monkeypatch.setenv("ANIMALS_API_KEY", "key of the page")
    run(AppTest.from_file(str(start.APP), default_timeout=20))
    assert stand_in.heard[0].headers["X-API-Key"] == "key of the page"
