"""`slim`: the same architecture with narrower hidden layers."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import jax

from slipstream.core.layer import Layer
from slipstream.core.symbol import symbols_in
from slipstream.layers.input import Input
from slipstream.models.model import Model
from slipstream.models.sequential import Sequential
from slipstream.models.widths import Widths, graph_of, part_configs, width_of


def slim(model: Any, factor: float, keep: Collection[str] = ()) -> Any:
    """A new model whose hidden layers have `factor` times as many units, filters or heads.

    A smaller network learns less by heart. Outputs keep their width, and so do layers that are
    added to, or multiplied with, something of fixed width. What only follows its input
    (normalization, dropout, pooling) follows; groups of convolutions and heads are cut to numbers
    that divide the new widths. Weights are new. If the model is compiled, so is the new one, with
    an optimizer of its own.

    Args:
        model: a built `Sequential` or functional model; models inside it are changed too.
        factor: above 0; widths are rounded, and are 1 at least.
        keep: names of layers that stay as they are.

    Returns:
        A model of the same class, name and names of layers.

    Raises:
        ValueError: if `factor` is not positive, the model is not built or a subclass with a `call`
            of its own, `keep` names no layer of it, or widths do not fit together at some layer.
    """
    if isinstance(factor, bool) or not 0 < factor < float("inf"):
        raise ValueError(f"slim: factor must be a positive number, as 0.5; got {factor!r}.")
    graph = graph_of(model)
    if graph is None:
        raise ValueError(
            f"slim rebuilds models that are built and Sequential or functional; {model!r} is not. "
            "Call it on data first, or give your class its widths as arguments."
        )
    named = {layer.name for layer in model._flatten_layers()}
    if unknown := sorted(set(keep) - named):
        raise ValueError(f"slim: keep names {unknown[0]!r}, which model {model.name!r} lacks.")
    narrowed = _Slimmer(factor, set(keep), Widths(graph, keep)).model(
        model, [symbol.shape for symbol in graph.sources]
    )
    _compile_alike(model, narrowed)
    return narrowed


def _compile_alike(model: Any, narrowed: Any) -> None:
    if not model.compiled:
        return
    try:
        config = model.get_compile_config()
    except TypeError:  # an optax transformation, say: the new model is left to be compiled
        return
    narrowed.compile_from_config(config)


class _Slimmer:
    """Makes narrower copies of layers, each once."""

    def __init__(self, factor: float, keep: set[str], widths: Widths) -> None:
        self.factor, self.keep, self.widths = factor, keep, widths
        self.copies: dict[int, Any] = {}

    def model(self, model: Any, shapes: list[Any]) -> Any:
        """A narrower copy of a model for inputs of these shapes."""
        graph = graph_of(model)
        assert graph is not None
        starts = [
            Input(batch_shape=shape, dtype=symbol.dtype, name=_name(symbol))
            for symbol, shape in zip(graph.sources, shapes)
        ]
        outputs = graph.run(starts, self._call)
        if isinstance(model, Sequential):
            copies = [self.copies[id(layer)] for layer in model.layers]
            first = starts[0].node
            assert first is not None
            return type(model)([first.operation, *copies], name=model.name)
        places = iter(starts)
        inputs = jax.tree.map(lambda _: next(places), graph.inputs)
        return type(model)(inputs=inputs, outputs=outputs, name=model.name)

    def _call(self, step: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """A step of the old graph on the new symbols."""
        try:
            if not isinstance(step, Layer):
                return step(*args, **kwargs)
            if id(step) not in self.copies:
                self.copies[id(step)] = self._copy(step, symbols_in((args, kwargs)))
            return self.copies[id(step)](*args, **kwargs)
        except (ValueError, TypeError) as error:
            if str(error).startswith("slim "):
                raise
            shapes = [symbol.shape for symbol in symbols_in((args, kwargs))]
            raise ValueError(
                f"slim cannot narrow the model around {step.name!r}, which now gets {shapes}: "
                f"{error} Pass keep=[…] with the names of the layers before it."
            ) from error

    def _copy(self, layer: Any, inputs: list[Any]) -> Any:
        if isinstance(layer, Model) and graph_of(layer) is not None:
            return self.model(layer, [symbol.shape for symbol in inputs])
        config = layer.get_config()
        if layer.name not in self.keep:
            self._narrow(config, not self.widths.fixed(layer))
            if inputs:
                _fit(config, layer, inputs[0].shape)
        return type(layer).from_config(config)

    def _narrow(self, config: dict[str, Any], width: bool) -> None:
        """Scale what the configuration of a layer, and of layers in it, says about widths."""
        if width and (found := width_of(config)):
            key, value = found
            shape = isinstance(value, (list, tuple))
            config[key] = (*value[:-1], self._scaled(value[-1])) if shape else self._scaled(value)
        if "intermediate_dim" in config:
            config["intermediate_dim"] = self._scaled(config["intermediate_dim"])
        if "features" in config:  # an encoder, with widths of its own
            if "width" in config:
                config["width"] = self._scaled(config["width"])
            if "widths" in config:
                config["widths"] = tuple(map(self._scaled, config["widths"]))
        if "num_key_value_heads" in config:
            groups = config["num_query_heads"] // config["num_key_value_heads"]
            config["num_key_value_heads"] = self._scaled(config["num_key_value_heads"])
            config["num_query_heads"] = groups * config["num_key_value_heads"]
        elif config.get("num_heads", 1) > 1:
            config["num_heads"] = self._scaled(config["num_heads"])
            if across := config.get("width", config.get("units")):
                config["num_heads"] = _most_heads(config["num_heads"], across)
        else:  # a single head is narrowed itself
            for key in ("key_dim", "value_dim"):
                if config.get(key):
                    config[key] = self._scaled(config[key])
        for part in part_configs(config):
            self._narrow(part, width)

    def _scaled(self, width: int) -> int:
        return max(1, math.floor(width * self.factor + 0.5))


def _fit(config: dict[str, Any], layer: Any, shape: tuple) -> None:
    """Make what must divide the input's width, or multiply to its size, do so."""
    if config.get("groups", 1) > 1:
        first = config.get("data_format") == "channels_first"
        channels = shape[1 if first else config.get("axis", -1)]
        config["groups"] = math.gcd(config["groups"], channels, config.get("filters", 0))
    if "num_heads" in config and "intermediate_dim" in config:
        config["num_heads"] = _most_heads(config["num_heads"], shape[-1])
    target = config.get("target_shape")
    if target and -1 not in target and layer._nodes:
        before: tuple[Any, ...] = symbols_in(layer._nodes[0].args)[0].shape[1:]
        if None not in (*before, *shape[1:]):
            last = target[-1] * math.prod(shape[1:]) / math.prod(before)
            if last.is_integer():
                config["target_shape"] = (*target[:-1], int(last))


def _most_heads(heads: int, width: int) -> int:
    """The most heads, up to so many, that divide a width."""
    return next(count for count in range(heads, 0, -1) if width % count == 0)


def _name(symbol: Any) -> str:
    return symbol.node.operation.name
