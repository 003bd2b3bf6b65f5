import pytest

from tasking.phrases import PHRASES, find


@pytest.mark.parametrize(
    "text", ["# nobody asks", "It goes on.", "whoever comes", "Two of so many.", "spoiled pictures"]
)
def test_a_phrase_that_readers_stumble_over_is_found_with_its_line(text: str) -> None:
    assert [(line, phrase in text) for line, phrase, _ in find(f"fine\n{text}")] == [(2, True)]


def test_plain_sentences_and_addresses_are_fine() -> None:
    assert find("The user resumes the run. Write to somebody@example.org.") == []
    assert all(PHRASES.values())
