"""What layers that draw share: the mode, keys, programs outside of models, the configuration."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from slipstream.core.layer import Layer
from slipstream.core.random import draw_seed, key_from, layer_key
from slipstream.core.scope import Scope, attached, current_scope
from slipstream.core.symbol import symbols_in
from slipstream.layers.augmentation.picture import sheet


class Drawing(Layer):
    """A layer that changes data at random while training and passes them on otherwise.

    Each example has draws of its own, which depend on the run's seed, the step, the layer and the
    example's row. Called on arrays outside of a model the layer acts, unless told
    ``training=False``.

    A subclass says in `_whole` what it does with data and a key; the key is None where there is
    nothing to draw.

    Args:
        seed: makes this layer's draws independent of its place in the model, and repeatable
            outside of one.

    Raises:
        ValueError: for a seed that is not a whole number.
    """

    per_example = True
    _random = True  # whether there is anything to draw
    _arguments: tuple[str, ...] = ()  # attributes that `get_config` tells

    def __init__(self, *, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if seed is not None and (not isinstance(seed, (int, np.integer)) or isinstance(seed, bool)):
            raise self._fault("seed", "a whole number", seed)
        self.seed = seed
        self._calls = 0  # outside of programs

    def _fault(self, argument: str, wanted: str, value: Any) -> ValueError:
        return ValueError(
            f"{type(self).__name__} layer {self.name!r}: {argument} must be {wanted}; "
            f"got {value!r}."
        )

    def _whole(self, data: Any, key: Any, training: bool) -> Any:
        """What becomes of data, in the form in which they came."""
        raise NotImplementedError

    def __call__(self, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        """Change data, or extend a graph."""
        scope = current_scope()
        mode = True if scope is None or scope.training is None else scope.training
        mode = mode if training is None else bool(training)
        if (scope is None or scope.key is None) and self._plain(args, kwargs):
            return self._at_once(args[0], mode)
        if symbols_in((args, kwargs)):
            said = {} if training is None else {"training": training}
            return super().__call__(*args, **said, **kwargs)
        return super().__call__(*args, training=mode, **kwargs)

    def _plain(self, args: tuple, kwargs: dict[str, Any]) -> bool:
        """Whether a call is one program on arrays, with nothing to note beside its output.

        Such a call goes straight to the program: what a layer's call does otherwise takes longer
        than the program, and meanwhile the threads that run it fall asleep.
        """
        if len(args) != 1 or kwargs or self.activity_regularizer is not None:
            return False
        return all(
            isinstance(leaf, (jax.Array, np.ndarray))
            and not isinstance(leaf, jax.core.Tracer)
            and attached(leaf, "mask") is None
            for leaf in jax.tree.leaves(args[0])
        )

    def call(self, data: Any, training: bool = True) -> Any:
        """Act while training, else pass on."""
        scope = current_scope()
        leaves = jax.tree.leaves(data)
        traced = any(isinstance(leaf, jax.core.Tracer) for leaf in leaves)
        if traced or (scope is not None and scope.key is not None):
            key = layer_key(self, self.seed) if training and self._random else None
            return self._whole(data, key, training)
        return self._at_once(data, training)

    def _at_once(self, data: Any, training: bool) -> Any:
        """Change data outside of any program, by one compiled once for each shape of them."""
        if "_program" not in vars(self):
            self._program = jax.jit(self._alone, static_argnums=2)
        number = draw_seed() if self.seed is None else self._calls
        self._calls += training
        # A Python number is quicker to hand over than one of NumPy's; as int32 it has these bits.
        return self._program(data, number - (number >> 31 << 32), training)

    def _alone(self, data: Any, number: Any, training: bool) -> Any:
        """A call in a program of its own, with draws of their own for each number."""
        with Scope(training=training, key=key_from(number)).active():
            return super().__call__(data, training=training)

    def _panels(self, columns: list[Any], rows: int) -> list[list[Any]]:
        """Pictures ``(height, width, 3)`` uint8 of data and of what became of them, by columns."""
        raise NotImplementedError

    def show(self, data: Any, draws: int = 4, rows: int = 4) -> Any:
        """A picture of some examples, each followed by what the layer makes of it.

        Pictures are shown as they are, sounds and series as curves, spectrograms in grey, and
        tokens as cells of a colour each.

        Args:
            data: a batch of examples, or a dictionary with such, as the layer takes them.
            draws: how many results to show of each.
            rows: how many examples to show.

        Returns:
            A ``PIL.Image``, which notebooks display; ``.save("draws.png")`` writes it.

        Raises:
            ImportError: without Pillow.
            ValueError: if there is no example.
        """
        columns = [data, *(self(data, training=True) for _ in range(draws))]
        return sheet(self._panels(columns, rows))

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in self._arguments},
        }

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_program"}
