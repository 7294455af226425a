"""A row: a layer, its arguments and the shape of its input."""

from __future__ import annotations

from typing import Any, NamedTuple

FORWARD, BACKWARD = MODES = ("forward", "forward+backward")
DRAWS = ("Dropout", "SpatialDropout2D", "AlphaDropout", "GaussianNoise")


class Row(NamedTuple):
    """A layer and its input.

    Attributes:
        family: name of the layer's class in Slipstream and in Keras.
        what: what the layer is like, beside the shape of its input.
        shape: shape of the input, or of each of several, channels or features last.
        arguments: arguments of the layer.
        call: further arguments of a call.
        ids: the input is not floats but whole numbers below this.
        words: the input is not numbers but texts of so many words.
        wraps: name and arguments of each layer that this one wraps.
        masked: the input has a mask ``(batch, time)``, sequences of many lengths.
        twice: the input is query and value.
        inputs: number of inputs; more than one go in a list.
        least: places of an axis below which the layer is another.
        forward_only: there is no gradient for the input.
        host: the layer works outside compiled programs, in Keras too; there is no gradient.
    """

    family: str
    what: str
    shape: tuple[int, ...]
    arguments: dict[str, Any] = {}
    call: dict[str, Any] = {}
    ids: int = 0
    words: int = 0
    wraps: tuple[tuple[str, dict[str, Any]], ...] = ()
    masked: bool = False
    twice: bool = False
    inputs: int = 1
    least: int = 6
    forward_only: bool = False
    host: bool = False

    @property
    def name(self) -> str:
        """``Conv2D 3×3, 32→64, (32, 32, 32, 32)``."""
        return f"{self.family} {self.what}".strip() + f", {self.shape}"

    @property
    def modes(self) -> tuple[str, ...]:
        """What is timed of it."""
        return (FORWARD,) if self.forward_only or self.host else MODES

    @property
    def random(self) -> bool:
        """Whether the layer draws, so that only what it draws from can be compared."""
        return self.family in DRAWS

    def shrunk(self) -> Row:
        """The same layer on a batch of two, and few places."""
        places = (min(size, self.least) for size in self.shape[1:-1])
        return self._replace(shape=(2, *places, *self.shape[1:][-1:]))
