"""Every label has its share of every split, and the manifest remembers it."""

from collections import Counter
from pathlib import Path

import pytest

from animals.data.split import ManifestRow, read_manifest, scarce_labels, stratified_split, write_manifest
from animals.errors import DataError

LABELS = ["cat"] * 100 + ["dog"] * 50 + ["owl"] * 10


def test_each_label_is_split_80_10_10() -> None:
    splits = stratified_split(LABELS, val=0.1, test=0.1, seed=0)
    counts = Counter(zip(LABELS, splits, strict=True))
    assert [counts[label, "test"] for label in ("cat", "dog", "owl")] == [10, 5, 1]
    assert [counts[label, "val"] for label in ("cat", "dog", "owl")] == [10, 5, 1]
    assert [counts[label, "train"] for label in ("cat", "dog", "owl")] == [80, 40, 8]


def test_the_split_follows_from_the_seed() -> None:
    first, again, other = (stratified_split(LABELS, val=0.1, test=0.1, seed=seed) for seed in (0, 0, 1))
    assert first == again != other


def test_a_label_with_too_few_pictures_is_named_with_its_count() -> None:
    with pytest.raises(DataError, match=r"Too few readable pictures of owl \(9\): each label needs 10 or more"):
        stratified_split(LABELS[:-1], val=0.1, test=0.1, seed=0)


def test_the_number_needed_follows_from_the_shares() -> None:
    splits = stratified_split(["a"] * 4 + ["b"] * 4, val=0.25, test=0.25, seed=0)
    assert Counter(splits) == {"train": 4, "val": 2, "test": 2}


def test_pictures_of_a_group_go_together_and_each_label_keeps_its_share() -> None:
    groups = [index - index % 2 if index < 60 else index for index in range(160)]  # 30 pairs of cats
    splits = stratified_split(LABELS, val=0.1, test=0.1, seed=0, groups=groups)
    assert all(splits[index] == splits[group] for index, group in enumerate(groups))
    counts = Counter(zip(LABELS, splits, strict=True))
    assert 7 <= counts["cat", "test"] <= 14  # 7 of 70 groups, some of them pairs
    assert [counts[label, "test"] for label in ("dog", "owl")] == [5, 1]


def test_without_duplicates_groups_change_nothing() -> None:
    grouped = stratified_split(LABELS, val=0.1, test=0.1, seed=3, groups=range(160))
    assert grouped == stratified_split(LABELS, val=0.1, test=0.1, seed=3)
    from sklearn.model_selection import train_test_split

    _, test = train_test_split(range(160), test_size=0.1, stratify=LABELS, random_state=3)
    assert sorted(test) == [index for index, split in enumerate(grouped) if split == "test"]


def test_a_group_counts_for_the_label_that_most_of_it_has() -> None:
    labels = ["a"] * 20 + ["b"] * 20 + ["a", "b", "b"]
    groups = [*range(40), 40, 40, 40]
    assert [(it.label, it.different) for it in scarce_labels(labels, groups, val=0.04, test=0.04)] == [
        ("a", 20),
        ("b", 21),
    ]
    splits = stratified_split(labels, val=0.1, test=0.1, seed=0, groups=groups)
    assert len(set(splits[40:])) == 1


def test_a_label_with_too_few_different_pictures_is_named_with_the_way_out() -> None:
    labels = ["cat"] * 12 + ["dog"] * 12 + ["owl"] * 2
    groups = [0] * 12 + [*range(12, 24), 12, 13]  # all cats are one, the owls are dogs
    with pytest.raises(DataError) as caught:
        stratified_split(labels, val=0.1, test=0.1, seed=0, groups=groups)
    assert str(caught.value) == (
        "Too few readable pictures of cat (1 different of 12), owl (0 different of 2): each label needs 10 or more for "
        "train, val and test. Add pictures or remove the label. Or treat fewer pictures as duplicates: "
        "data.duplicate_distance."
    )


def test_a_manifest_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    rows = [ManifestRow('o,dd "name".jpg', "cat", "train", "ab"), ManifestRow("ü.jpg", "dog", "test", "cd")]
    write_manifest(tmp_path / "manifest.csv", rows)
    assert read_manifest(tmp_path / "manifest.csv") == rows


def test_the_manifests_hash_tells_splits_apart(tmp_path: Path) -> None:
    one, other = (ManifestRow("a.jpg", "cat", split, "ab") for split in ("train", "test"))
    hashes = [write_manifest(tmp_path / f"{number}.csv", [row]) for number, row in enumerate((one, one, other))]
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_file_that_is_no_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(DataError, match="is no split manifest"):
        read_manifest(tmp_path / "notes.csv")
    with pytest.raises(DataError, match="is no split manifest"):
        read_manifest(tmp_path / "gone.csv")
