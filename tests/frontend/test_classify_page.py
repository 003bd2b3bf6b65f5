"""The page for visitors, run without a browser."""

import base64

import pytest
from streamlit.testing.v1 import AppTest

from animals.frontend.__main__ import APP
from tests.frontend.conftest import LABELS, MODEL, click, predicted, run, stored
from tests.support.http import Response, json_response
from tests.support.published import plain
from tests.support.stand_in import StandIn, busy

NO_PICTURE = json_response({"detail": "This is no picture."}, 415)


def upload(page: AppTest, *colours: str) -> AppTest:
    files = [(f"{colour}.png", plain(colour), "image/png") for colour in colours]
    page.file_uploader(key="uploads").set_value(files)
    return run(page)


def buttons(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def headings(page: AppTest) -> list[str]:
    return [heading.value for heading in page.subheader]


def text_of(page: AppTest) -> str:
    kinds = (page.title, page.subheader, page.markdown, page.caption, page.success, page.warning, page.error)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def feedback(stand_in: StandIn) -> list[dict[str, str]]:
    return [request.json() for request in stand_in.received("/post_data/")]


def test_the_first_sentences_name_the_labels_and_the_data_set(page: AppTest) -> None:
    assert "Upload a picture. The model recognises: cat\\, cow\\, dog." in text_of(page)
    assert "Trained on: Animals sample \\(drawings\\)" in text_of(page)


def test_a_data_set_without_a_title_is_not_mentioned(page: AppTest, stand_in: StandIn) -> None:
    stand_in.responses["/model"] = [json_response(MODEL | {"data_title": ""})]
    assert "Trained on" not in text_of(run(page))


def test_a_prediction_has_label_confidence_version_and_duration(page: AppTest) -> None:
    upload(page, "lime")
    assert headings(page) == ["Cat"]
    assert "Very likely\\: 93 \\%" in text_of(page)
    assert "Version r1 responded in" in text_of(page)


def test_of_several_pictures_the_newest_is_first(page: AppTest, stand_in: StandIn) -> None:
    stand_in.responses["/classify/"] = [
        json_response(predicted(dog=0.8, cat=0.2)),
        json_response(predicted(cow=0.6, cat=0.4)),
    ]
    upload(page, "lime", "blue")
    assert headings(page) == ["Dog", "Cow"]
    assert b'filename="blue.png"' in stand_in.received("/classify/")[0].body


def test_a_picture_is_classified_once_in_all_reruns(page: AppTest, stand_in: StandIn) -> None:
    upload(page, "lime", "lime")
    run(page)
    assert len(stand_in.received("/classify/")) == 1


def test_an_example_is_shown_until_another_picture_is_uploaded(page: AppTest, stand_in: StandIn) -> None:
    click(page, "Cat")
    upload(page, "lime")
    assert len(page.subheader) == 1
    first, second = stand_in.received("/classify/")
    assert b'filename="cat.jpg"' in first.body
    assert b'filename="lime.png"' in second.body


def test_the_camera_is_off_until_it_is_switched_on(page: AppTest, stand_in: StandIn) -> None:
    assert not page.camera_input
    page.toggle[0].set_value(True)
    run(page)
    page.camera_input[0].upload("any.jpg", plain("lime", kind="JPEG"))
    run(page)
    assert b'filename="camera.jpg"' in stand_in.received("/classify/")[0].body


def test_a_picture_under_the_rejection_threshold_can_get_any_label_as_feedback_but_no_yes(
    page: AppTest, stand_in: StandIn
) -> None:
    stand_in.responses["/model"] = [json_response(MODEL | {"unknown_below": 0.95})]
    upload(page, "lime")
    assert headings(page) == ["None of the 3 labels"]
    assert "Yes" not in buttons(page)
    assert page.pills[0].options == list(LABELS)
    page.pills[0].set_value("cat")
    run(page)
    assert [record["x"] for record in feedback(stand_in)] == ["cat"]


def test_the_threshold_of_another_version_is_not_used(page: AppTest, stand_in: StandIn) -> None:
    stand_in.responses["/model"] = [json_response(MODEL | {"version": "r2", "unknown_below": 0.95})]
    upload(page, "lime")
    assert headings(page) == ["Cat"]


def test_a_refused_picture_shows_the_reason_and_the_others_are_classified(page: AppTest, stand_in: StandIn) -> None:
    stand_in.responses["/classify/"] = [NO_PICTURE, json_response(predicted(cat=0.9, cow=0.1))]
    upload(page, "lime", "blue")
    assert [error.value for error in page.error] == ["This is no picture\\."]
    assert headings(page) == ["Cat"]
    assert "Try again" not in buttons(page)


def test_a_file_that_is_no_picture_is_shown_by_its_name(page: AppTest, stand_in: StandIn) -> None:
    stand_in.responses["/classify/"] = [NO_PICTURE]
    page.file_uploader(key="uploads").set_value([("<b>x.png", b"hello", "image/png")])
    run(page)
    assert "\\<b\\>x\\.png" in text_of(page)


def test_after_an_unavailable_backend_try_again_classifies_the_uploaded_picture(
    page: AppTest, stand_in: StandIn
) -> None:
    stand_in.responses["/model"] = [busy("No model is published yet.", 5), json_response(MODEL)]
    upload(page, "lime")
    assert [warning.value for warning in page.warning] == ["No model is published yet\\."]
    click(page, "Try again")
    assert headings(page) == ["Cat"]


def test_a_failed_prediction_can_be_tried_again(page: AppTest, stand_in: StandIn) -> None:
    stand_in.responses["/classify/"] = [Response(502), json_response(predicted(cat=0.9, cow=0.1))]
    upload(page, "lime")
    assert [warning.value for warning in page.warning] == [
        "The model cannot be reached\\. Try again in a few seconds\\."
    ]
    click(page, "Try again")
    assert headings(page) == ["Cat"]
    assert not page.warning


def test_yes_sends_the_predicted_label_without_the_picture_and_once(page: AppTest, stand_in: StandIn) -> None:
    upload(page, "lime")
    click(page, "Yes")
    run(page)
    assert feedback(stand_in) == [{"x": "cat", "prediction_id": "signed-by-the-backend-cat"}]
    assert "Your feedback **cat** is stored. The picture is not stored." in text_of(page)
    assert "Yes" not in buttons(page)


def test_no_sends_the_chosen_label(page: AppTest, stand_in: StandIn) -> None:
    stand_in.responses["/post_data/"] = [json_response(stored("dog"))]
    upload(page, "lime")
    assert not page.pills
    click(page, "No")
    assert page.pills[0].options == ["cow", "dog"]
    page.pills[0].set_value("dog")
    run(page)
    assert feedback(stand_in)[0]["x"] == "dog"
    assert "Your feedback **dog** is stored." in text_of(page)


def test_the_picture_is_sent_only_with_consent(page: AppTest, stand_in: StandIn) -> None:
    stand_in.responses["/post_data/"] = [json_response(stored("cat", picture=True))]
    upload(page, "lime")
    assert not page.checkbox[0].value
    page.checkbox[0].check()
    click(page, "Yes")
    assert base64.b64decode(feedback(stand_in)[0]["picture"]) == plain("lime")
    assert "The picture is stored too." in text_of(page)


def test_feedback_that_failed_is_shown_and_sent_again(page: AppTest, stand_in: StandIn) -> None:
    stand_in.responses["/post_data/"] = [busy("The bucket cannot be reached.", 9), json_response(stored("cat"))]
    upload(page, "lime")
    click(page, "Yes")
    assert "**Your feedback is not stored.**" in text_of(page)
    assert "The bucket cannot be reached\\." in text_of(page)
    assert not page.success
    click(page, "Try again")
    assert page.success
    assert feedback(stand_in) == [{"x": "cat", "prediction_id": "signed-by-the-backend-cat"}] * 2


def test_feedback_can_be_changed(page: AppTest, stand_in: StandIn) -> None:
    upload(page, "lime")
    for label in ("Yes", "Change feedback", "No"):
        click(page, label)
    page.pills[0].set_value("cow")
    run(page)
    assert [record["x"] for record in feedback(stand_in)] == ["cat", "cow"]


def test_an_api_key_is_sent(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMALS_BACKEND", stand_in.url)
    monkeypatch.setenv("ANIMALS_API_KEY", "key of the page")
    run(AppTest.from_file(str(APP), default_timeout=20))
    assert stand_in.requests[0].headers["X-API-Key"] == "key of the page"
