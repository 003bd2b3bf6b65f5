import pytest
import timm
import torch
from timm.layers import Conv2dSame

from animals.training.export.padding import with_static_padding


@pytest.mark.parametrize("side", [32, 61, 96])
def test_static_padding_changes_no_output_at_the_side_that_it_is_made_for(side: int) -> None:
    model = timm.create_model("tf_efficientnet_lite0", num_classes=3).eval()
    static = with_static_padding(model, side)
    pictures = torch.randn(2, 3, side, side)
    with torch.inference_mode():
        torch.testing.assert_close(static(pictures), model(pictures))
    assert not any(isinstance(module, Conv2dSame) for module in static.modules())
    assert any(isinstance(module, Conv2dSame) for module in model.modules())


def test_a_network_without_same_padding_is_returned_as_it_is() -> None:
    model = timm.create_model("test_resnet")
    assert with_static_padding(model, 32) is model
