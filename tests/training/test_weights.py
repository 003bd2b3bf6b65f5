import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch

from animals.config.training import ModelConfig
from animals.errors import AnimalsError
from animals.storage import Storage
from animals.training import weights
from animals.training.weights import PACKAGE, PACKAGED, hash_of, load_pretrained

TINY = "test_resnet"


@pytest.fixture(scope="module")
def tiny() -> torch.nn.Module:
    torch.manual_seed(0)
    return timm.create_model(TINY, num_classes=7)


def write_safetensors(model: torch.nn.Module, path: Path) -> None:
    safetensors.torch.save_file(model.state_dict(), path)


def write_pth(model: torch.nn.Module, path: Path) -> None:
    torch.save({"state_dict": model.state_dict()}, path)


def load(source: str | Path, name: str = TINY) -> weights.Pretrained:
    return load_pretrained(ModelConfig(name=name, weights=str(source)), {})


@pytest.mark.parametrize(("write", "name"), [(write_safetensors, "w.safetensors"), (write_pth, "w.pth")])
def test_weights_come_from_a_file_with_the_classifier_that_it_has(
    write: Callable[[torch.nn.Module, Path], None], name: str, tiny: torch.nn.Module, tmp_path: Path
) -> None:
    write(tiny, tmp_path / name)
    loaded = load(tmp_path / name)
    assert hash_of(loaded.model) == hash_of(tiny)
    assert loaded.origin.source == str(tmp_path / name)


def test_weights_come_from_a_folder_in_the_hubs_format(tiny: torch.nn.Module, tmp_path: Path) -> None:
    write_safetensors(tiny, tmp_path / "model.safetensors")
    assert hash_of(load(tmp_path).model) == hash_of(tiny)


@pytest.mark.parametrize("name", ["models/r1", "models/r1/model.safetensors"])
def test_weights_come_from_a_bucket(name: str, bucket: Storage, tiny: torch.nn.Module) -> None:
    bucket.write("models/r1/model.safetensors", safetensors.torch.save(tiny.state_dict()))
    if "://" not in bucket.url:
        pytest.skip("A folder needs no URL.")
    assert hash_of(load(f"{bucket.url}/{name}").model) == hash_of(tiny)


def test_the_package_has_the_weights_of_efficientnet_lite0() -> None:
    loaded = load(PACKAGE, "tf_efficientnet_lite0")
    assert loaded.model.get_classifier().out_features == 1000  # type: ignore[operator]
    assert loaded.origin.license == "apache-2.0"
    assert loaded.origin.sha256 == PACKAGED["tf_efficientnet_lite0"].sha256


def test_a_packaged_file_with_another_content_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(PACKAGED["tf_efficientnet_lite0"], sha256="0" * 64)
    monkeypatch.setitem(PACKAGED, "tf_efficientnet_lite0", other)
    with pytest.raises(AnimalsError, match="not the known file"):
        load(PACKAGE, "tf_efficientnet_lite0")


def test_another_network_has_no_package() -> None:
    with pytest.raises(AnimalsError, match=f"No package holds weights of {TINY}"):
        load(PACKAGE)


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return print, ("code of the file ran",)


def content(kind: str, model: torch.nn.Module) -> bytes:
    whole = safetensors.torch.save(model.state_dict())
    return {
        "empty": b"",
        "cut off": whole[: len(whole) // 2],
        "text": b"not weights at all",
        "code": pickle.dumps(Evil(), protocol=2),
        "other shapes": safetensors.torch.save(
            timm.create_model("test_resnet", num_classes=3, in_chans=1).state_dict()
        ),
        "other names": safetensors.torch.save(timm.create_model("test_vit").state_dict()),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("empty", "cannot be read as weights"),
        ("cut off", "cannot be read as weights"),
        ("text", "cannot be read as weights"),
        ("code", "more than tensors"),
        ("other shapes", "another architecture"),
        ("other names", f"no weights of {TINY}"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_sentence(
    kind: str, message: str, tiny: torch.nn.Module, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "weights"
    path.write_bytes(content(kind, tiny))
    with pytest.raises(AnimalsError, match=message):
        load(path)
    assert not capsys.readouterr().out


@pytest.mark.parametrize("place", ["missing.safetensors", "."])
def test_a_missing_file_or_a_folder_without_weights_names_the_ways(place: str, tmp_path: Path) -> None:
    with pytest.raises(AnimalsError, match=r"cannot be read.*Give model\.weights"):
        load(tmp_path / place)
