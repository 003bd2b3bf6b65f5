"""Any model of timm by name, or a sentence that says why not."""

from pathlib import Path

import pytest
import timm
import torch

from animals.config.data import DataConfig
from animals.config.training import ModelConfig, OptimizerConfig, TrainerConfig
from animals.errors import AnimalsError, ConfigError
from animals.training.hardware import choose_device, choose_precision, describe_hardware, processor
from animals.training.model import build_model, check_names, input_spec


def test_a_model_has_one_output_a_label() -> None:
    model = build_model(ModelConfig(name="test_resnet"), labels=7, side=64)
    assert model(torch.zeros(2, 3, 64, 64)).shape == (2, 7)


def test_a_vision_transformer_is_built_for_the_side() -> None:
    model = build_model(ModelConfig(name="test_vit"), labels=3, side=96)
    assert model(torch.zeros(1, 3, 96, 96)).shape == (1, 3)


def test_missing_pretrained_weights_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(AnimalsError, match=r"resnet18 are not cached .* model\.pretrained=false"):
        build_model(ModelConfig(pretrained=True), labels=3, side=64)


def test_a_model_without_pretrained_weights_is_refused_before_any_download() -> None:
    name = next(name for name in timm.list_models() if not timm.is_model_pretrained(name))
    with pytest.raises(ConfigError, match="timm has no pretrained weights"):
        check_names(ModelConfig(name=name, pretrained=True), OptimizerConfig())


def test_statistics_are_the_models_and_size_and_cut_the_data_sets() -> None:
    spec = input_spec(ModelConfig(), DataConfig(side=96, resize="squash"))
    assert (spec.side, spec.resize, spec.mean) == (96, "squash", (0.485, 0.456, 0.406))


def test_a_device_that_is_not_there_is_a_config_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"trainer\.accelerator=gpu, but this machine has none"):
        choose_device("gpu")


def test_hardware_is_described_by_its_name_and_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert describe_hardware(TrainerConfig(accelerator="cpu")).startswith(f"{processor()} (")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA L4")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert describe_hardware(TrainerConfig(accelerator="gpu")) == "NVIDIA L4"
    assert describe_hardware(TrainerConfig(accelerator="gpu", devices=0, nodes=2)) == "2 machines with 4 x NVIDIA L4"


def test_auto_takes_the_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")


@pytest.mark.parametrize(
    ("capabilities", "expected"), [({"avx512_bf16": True}, "bf16"), ({"amx_bf16": True}, "bf16"), ({}, "fp32")]
)
def test_a_cpu_computes_in_bf16_only_where_it_has_the_instructions(
    capabilities: dict[str, bool], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert choose_precision("auto", torch.device("cpu")) == expected
    assert choose_precision("fp32", torch.device("cpu")) == "fp32"


@pytest.mark.parametrize(("supported", "expected"), [(True, "bf16"), (False, "fp16")])
def test_an_older_gpu_computes_in_fp16(supported: bool, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: supported)
    assert choose_precision("auto", torch.device("cuda")) == expected
    assert choose_precision("auto", torch.device("mps")) == "fp32"
