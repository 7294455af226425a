"""How the windows of a convolution lie, and the sizes that they give."""

from __future__ import annotations

from typing import NamedTuple

Shape = tuple[int, ...]


def output_size(
    size: int | None, window: int, stride: int, padding: str, dilation: int = 1
) -> int | None:
    """Number of windows along an axis of this size; at most 0 where not even one fits."""
    if size is None:
        return None
    if padding == "valid":
        size -= reach(window, dilation) - 1
    return -(-size // stride)


def transposed_size(
    size: int | None,
    window: int,
    stride: int,
    padding: str,
    dilation: int = 1,
    output_padding: int | None = None,
) -> int | None:
    """Size that a transposed convolution gives to an axis of this size.

    Several sizes would shrink to the same one under a stride; `output_padding`, below the
    stride, chooses among them. None takes the largest for ``"valid"`` and ``size * stride`` for
    ``"same"``.
    """
    if size is None:
        return None
    whole = reach(window, dilation)
    if output_padding is None:
        return size * stride + (max(whole - stride, 0) if padding == "valid" else 0)
    cut = 2 * (whole // 2) if padding == "same" else 0
    return (size - 1) * stride + whole - cut + output_padding


def reach(window: int, dilation: int) -> int:
    """Positions between the first and the last that a dilated window touches, both counted."""
    return (window - 1) * dilation + 1


class Geometry(NamedTuple):
    """How the windows of a convolution lie, a number or pair for each spatial axis.

    Attributes:
        pads: positions added before and after an axis; negative ones are cut off.
        groups: how many parts channels and filters are cut into.
    """

    strides: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int

    def is_product(self, kernel: Shape) -> bool:
        """Whether windows are single positions, all of them: then it is a product of matrices."""
        strided = any(stride != 1 for stride in self.strides)
        padded = any(pad != (0, 0) for pad in self.pads)
        return set(kernel[:-2]) == {1} and self.groups == 1 and not strided and not padded


def result_shape(x: Shape, kernel: Shape, geometry: Geometry) -> Shape:
    """Shape of the convolution of an input with a kernel of these shapes."""
    sizes = (
        (size + sum(pad) - reach(window, step)) // stride + 1
        for size, pad, window, step, stride in zip(
            x[1:-1], geometry.pads, kernel, geometry.dilation, geometry.strides
        )
    )
    return (x[0], *sizes, kernel[-1])
