"""Static padding: convolutions with TensorFlow's "same" padding for pictures of one size."""

import copy
from typing import cast

import torch
from timm.layers import Conv2dSame
from torch import Tensor, nn


def with_static_padding(model: nn.Module, side: int) -> nn.Module:
    """Return a copy of the network in which each "same"-padded convolution pads by fixed amounts.

    "Same" padding depends on the size of its input, which costs a Shape, a Slice and a Pad in an exported graph. For
    pictures of one side the amounts are constants.

    Args:
        model: a network of timm; it is not changed. One without such convolutions is returned as it is.
        side: width and height of its pictures in pixels.
    """
    dynamic = {name for name, module in model.named_modules() if isinstance(module, Conv2dSame)}
    if not dynamic:
        return model
    model = copy.deepcopy(model)
    for name, (height, width) in _input_sizes(model, dynamic, side).items():
        parent, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(parent), leaf, _static(model.get_submodule(name), height, width))
    return model


def _input_sizes(model: nn.Module, names: set[str], side: int) -> dict[str, tuple[int, int]]:
    """Return height and width of the input of some modules, for pictures of the given side."""
    sizes: dict[str, tuple[int, int]] = {}

    def watch(name: str) -> torch.utils.hooks.RemovableHandle:
        def note(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            sizes[name] = (inputs[0].shape[-2], inputs[0].shape[-1])

        return model.get_submodule(name).register_forward_pre_hook(note)

    handles = [watch(name) for name in names]
    weight = next(model.parameters())
    training = model.training
    with torch.inference_mode():
        model.eval()(torch.zeros(1, 3, side, side, device=weight.device))
    model.train(training)
    for handle in handles:
        handle.remove()
    return sizes


def _static(convolution: nn.Module, height: int, width: int) -> nn.Sequential:
    assert isinstance(convolution, Conv2dSame)  # noqa: S101 - chosen by its type
    plain = nn.Conv2d(
        convolution.in_channels,
        convolution.out_channels,
        cast(tuple[int, int], convolution.kernel_size),
        cast(tuple[int, int], convolution.stride),
        dilation=cast(tuple[int, int], convolution.dilation),
        groups=convolution.groups,
        bias=convolution.bias is not None,
    )
    plain.load_state_dict(convolution.state_dict())
    rows, columns = (
        _padding(size, convolution.kernel_size[axis], convolution.stride[axis], convolution.dilation[axis])
        for axis, size in enumerate((height, width))
    )
    # as TensorFlow does, an odd pixel goes to the right and to the bottom
    return nn.Sequential(nn.ZeroPad2d((columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)), plain)


def _padding(size: int, kernel: int, stride: int, dilation: int) -> int:
    outputs = -(-size // stride)
    return max((outputs - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
