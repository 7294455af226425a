"""`EinsumDense`: a dense layer whose product is any Einstein sum of input and kernel."""

from __future__ import annotations

import re
from math import prod
from typing import Any, NamedTuple

import jax.numpy as jnp

from slipstream.core import registry
from slipstream.core.registry import register
from slipstream.kernels.dense import product
from slipstream.layers.affine import Affine

_FORM = re.compile(
    r"(?P<before>\.\.\.)?(?P<input>[a-zA-Z]+)(?P<after>\.\.\.)?,(?P<kernel>[a-zA-Z]+)"
    r"->(?P<left>\.\.\.)?(?P<output>[a-zA-Z]+)(?P<right>\.\.\.)?"
)


class Equation(NamedTuple):
    """Letters of the input, the kernel and the output, and where other axes may stand."""

    input: str
    kernel: str
    output: str
    before: bool
    after: bool

    @classmethod
    def parse(cls, equation: str) -> Equation:
        """Read ``"abc,cd->abd"``; ``...`` may lead, or end, both the input and the output."""
        found = _FORM.fullmatch(equation.replace(" ", ""))
        if found is not None:
            before, after = (found[side] is not None for side in ("before", "after"))
            left, right = (found[side] is not None for side in ("left", "right"))
            if (before, after) == (left, right) and not (before and after):
                return cls(found["input"], found["kernel"], found["output"], before, after)
        raise ValueError(
            f"Invalid einsum equation {equation!r}. Equations have the form 'ab,bc->ac', "
            "'...b,bc->...c' or 'ab...,bc->ac...'."
        )

    @property
    def contracted(self) -> int | None:
        """How many axes vanish, where it is a product of matrices: the input's last, in order."""
        vanish = [letter for letter in self.kernel if letter not in self.output]
        count = len(vanish)
        left, new = self.input[: len(self.input) - count], self.kernel[count:]
        plain = self.input == left + "".join(vanish) and self.kernel == "".join(vanish) + new
        if self.after or not count or not left or not plain or self.output != left + new:
            return None
        return count

    def others(self, input_shape: tuple) -> tuple:
        """Sizes of the axes that the dots stand for."""
        extra = len(input_shape) - len(self.input)
        if extra < 0 or (extra and not (self.before or self.after)):
            raise ValueError(
                f"The einsum input {self.input!r} has {len(self.input)} axes; got an input of "
                f"shape {tuple(input_shape)}."
            )
        return tuple(input_shape[:extra] if self.before else input_shape[len(self.input) :])

    def sizes(self, input_shape: tuple, output_shape: tuple) -> dict[str, int | None]:
        """The size of each letter, from the input and the wanted output without batch axis."""
        extra = len(self.others(input_shape))
        letters = input_shape[extra:] if self.before else input_shape[: len(self.input)]
        sizes: dict[str, int | None] = dict(zip(self.input, letters))
        lead = 1 if not (self.before and extra) else 0  # the batch axis has a letter
        for letter, size in zip(self.output[lead:], output_shape):
            known = sizes.setdefault(letter, size)
            if known is None:
                sizes[letter] = size
            elif size is not None and size != known:
                raise ValueError(
                    f"Input shape and output shape do not match at shared dimension {letter!r}: "
                    f"the input {tuple(input_shape)} has {known} there, output_shape {size}."
                )
        for letter in self.output:
            if letter not in self.input and letter not in self.kernel:
                raise ValueError(
                    f"Dimension {letter!r} of the output {self.output!r} is neither in the input "
                    f"{self.input!r} nor in the kernel {self.kernel!r}."
                )
        return sizes


@register("layer")
class EinsumDense(Affine):
    """``activation(einsum(equation, x, kernel) + bias)``.

    Args:
        equation: ``"input,kernel->output"``, one letter an axis, the batch axis among them
            (``"abc,cd->abd"``); ``...`` may stand for further axes at one end of input and output.
        output_shape: shape of the output without the batch axis, or without the axes of leading
            dots; None where a size follows from the input.
        activation: name or function; none if not given.
        bias_axes: letters of the output's axes that the bias has; no bias if not given.
        kernel_initializer, bias_initializer: initial values.
        kernel_regularizer, bias_regularizer: penalties.
        kernel_constraint, bias_constraint: projections after each update.
        lora_rank, lora_alpha: freeze the kernel and train a product of this rank beside it; see
            `enable_lora`.

    Raises:
        ValueError: if the equation is malformed, or shapes and letters do not fit together.
    """

    def __init__(
        self,
        equation: str,
        output_shape: Any,
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            activation=activation,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            lora_rank=lora_rank,
            lora_alpha=lora_alpha,
            **kwargs,
        )
        self.equation = equation
        self.partial_output_shape = (
            (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
        )
        self.bias_axes = bias_axes
        self._letters = Equation.parse(equation)
        batch = self._letters.input[0]
        self.per_example = self._letters.before or (
            batch == self._letters.output[0] and batch not in self._letters.kernel
        )

    def build(self, input_shape: Any) -> None:
        """Create `kernel` and `bias` for inputs of this shape."""
        letters = self._letters
        sizes = letters.sizes(tuple(input_shape), self.partial_output_shape)
        missing = [letter for letter in letters.kernel if sizes.get(letter) is None]
        if missing:
            raise ValueError(
                f"EinsumDense layer {self.path!r} ({self.equation!r}): the size of the kernel's "
                f"axis {missing[0]!r} follows neither from the input's shape {tuple(input_shape)} "
                f"nor from output_shape {self.partial_output_shape}. Give it in one of them."
            )
        self._create(
            tuple(sizes[letter] for letter in letters.kernel),
            self._bias_shape(sizes, len(letters.others(tuple(input_shape)))),
        )

    def _bias_shape(self, sizes: dict[str, Any], extra: int) -> tuple | None:
        """Sizes on the bias' axes, 1 on those between and behind them, none in front."""
        output = self._letters.output
        if not self.bias_axes:
            return None
        for letter in self.bias_axes:
            if letter not in output:
                raise ValueError(
                    f"EinsumDense layer {self.path!r}: bias_axes names {letter!r}, which is no "
                    f"axis of the output {output!r}."
                )
        first = min(output.index(letter) for letter in self.bias_axes)
        shape = tuple(sizes[letter] if letter in self.bias_axes else 1 for letter in output[first:])
        return shape + (1,) * (extra if self._letters.after else 0)

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        kernel = self._adapted() if self.lora_enabled else self._kernel.value
        axes = self._letters.contracted
        if axes is None:
            return self._finish(jnp.einsum(self.equation, inputs, kernel))
        rows, new = inputs.shape[: inputs.ndim - axes], kernel.shape[axes:]
        inputs = inputs.reshape(*rows, prod(kernel.shape[:axes]))
        matrix = kernel.reshape(inputs.shape[-1], prod(new))
        bias = None if self.bias is None else self.bias.value
        if bias is not None and bias.shape != new:  # it is not one number for each output
            return self._finish(product(inputs, matrix).reshape(*rows, *new))
        flat = None if bias is None else bias.reshape(-1)
        return self._product(inputs, matrix, flat, (*rows, *new))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Shape of the output; sizes that are shared with the input come from there."""
        letters = self._letters
        sizes = letters.sizes(tuple(input_shape), self.partial_output_shape)
        others = letters.others(tuple(input_shape))
        named = tuple(sizes.get(letter) for letter in letters.output)
        return (*others, *named) if letters.before else (*named, *others)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        own = {
            "output_shape": self.partial_output_shape,
            "equation": self.equation,
            "bias_axes": self.bias_axes,
            "activity_regularizer": registry.serialize(self.activity_regularizer),
        }
        return {**super().get_config(), **own}
