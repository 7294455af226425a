"""Memory for time: layers whose inside is computed again for the gradient (Chen et al., 2016)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, Token
from math import prod
from typing import Any, Self

import jax

from slipstream.core import cost
from slipstream.core.scope import Scope, attach, notes_on

_MODES = ("full", "activations", "larger_than", "list_of_layers", None)
_in_force: ContextVar[RematScope | None] = ContextVar("slipstream_remat", default=None)


def remat(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is computed again for its gradient, in place of keeping what is inside it.

    Pure functions of arrays only.
    """
    return jax.checkpoint(f)


class RematScope:
    """Layers made within it keep less for their gradients, and compute it again then.

    Args:
        mode: ``"full"``: only what goes into a layer is kept. ``"activations"``: results of matrix
            products, convolutions and kernels are kept too, so that only what is quick is
            computed again. ``"larger_than"``: as full, for layers whose outputs have more than
            `output_size_threshold` elements. ``"list_of_layers"``: as full, for the layers named.
            None: switches an outer scope off.
        output_size_threshold: elements, the batch included.
        layer_names: names of layers.

    Raises:
        ValueError: for an unknown mode.
    """

    def __init__(
        self,
        mode: str | None = "full",
        output_size_threshold: int = 1024,
        layer_names: Sequence[str] | None = None,
    ) -> None:
        if mode not in _MODES:
            raise ValueError(f"mode must be one of {_MODES}; got {mode!r}.")
        self.mode = mode
        self.output_size_threshold = output_size_threshold
        self.layer_names = list(layer_names or [])
        self._tokens: list[Token[RematScope | None]] = []

    def __enter__(self) -> Self:
        self._tokens.append(_in_force.set(self))
        return self

    def __exit__(self, *error: Any) -> None:
        _in_force.reset(self._tokens.pop())

    def concerns(self, name: str, scope: Scope, run: Callable[[], Any]) -> bool:
        """Whether the layer `name` is to keep less; `run` calls it."""
        if self.mode == "larger_than":
            with _undone(scope):
                outputs = jax.eval_shape(run)
            sizes = [prod(leaf.shape) for leaf in jax.tree.leaves(outputs)]
            return max(sizes, default=0) > self.output_size_threshold
        return self.mode is not None and (self.mode != "list_of_layers" or name in self.layer_names)


def scope_in_force() -> RematScope | None:
    """The innermost `RematScope` that layers are being made in."""
    return _in_force.get()


def rematerialized(
    layer_call: Callable[..., Any], mode: str | None, scope: Scope, args: tuple, kwargs: dict
) -> Any:
    """``layer_call(*args, **kwargs)`` that keeps less for its gradient.

    What the call does beside its outputs (moving averages, losses, masks) comes out with them.
    """
    leaves, structure = jax.tree.flatten((args, kwargs))
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, jax.Array)]
    notes = [notes_on(leaves[i]) for i in places]

    def run(arrays: list[Any], notes: list[dict[str, Any]]) -> Any:
        given = list(leaves)
        for place, array, about in zip(places, arrays, notes):
            given[place] = array
            _attach_all(array, about)
        positional, named = jax.tree.unflatten(structure, given)
        before = dict(scope.values)
        with _undone(scope, draws=False):
            outputs = layer_call(*positional, **named)
            written = {k: v for k, v in scope.values.items() if v is not before.get(k)}
            found = [notes_on(leaf) for leaf in jax.tree.leaves(outputs)]
            return outputs, found, written, scope.losses

    policy = _kept if mode == "activations" else None
    again = jax.checkpoint(run, policy=policy)
    outputs, found, written, losses = again([leaves[i] for i in places], notes)
    for leaf, about in zip(jax.tree.leaves(outputs), found):
        _attach_all(leaf, about)
    scope.values.update(written)
    scope.losses.extend(losses)
    return outputs


@contextmanager
def _undone(scope: Scope, draws: bool = True) -> Iterator[None]:
    """What the block does to the scope is undone: arrays of an inner trace must not stay behind.

    Args:
        scope: the scope.
        draws: whether what the block drew is drawn again after it.
    """
    before = scope.values, scope.losses, scope.draws
    scope.values, scope.losses = dict(scope.values), []
    if draws:
        scope.draws = dict(scope.draws)
    try:
        yield
    finally:
        scope.values, scope.losses, scope.draws = before


def _attach_all(array: Any, notes: dict[str, Any]) -> None:
    for name, value in notes.items():
        attach(array, name, value)


def _kept(primitive: Any, *_: Any, **__: Any) -> bool:
    """Results of what takes long."""
    name = primitive.name
    own = name in cost.RULES and name not in cost.QUICK
    return own or name in ("dot_general", "conv_general_dilated", "scan", "while")
