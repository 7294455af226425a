"""`Model`: a layer that can be trained, judged, used and saved."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from slipstream.core import registry
from slipstream.core.layer import Layer
from slipstream.core.registry import register
from slipstream.core.scope import current_scope
from slipstream.core.symbol import symbols_in
from slipstream.data.arrays import to_arrays
from slipstream.models import saving, state_tree, summary
from slipstream.models.entrance import GraphEntrance, on_host
from slipstream.models.graph import Graph
from slipstream.models.graph_config import graph_config, model_from_config, takes_graph
from slipstream.models.running import Running
from slipstream.models.state_tree import set_state_tree
from slipstream.training.callbacks.history import History
from slipstream.training.session import open_session


@register("model")
class Model(Running):
    """A layer that can be trained, judged, used and saved.

    Three ways to make one: `Sequential` is a plain stack of layers; ``Model(inputs, outputs)`` is
    what lies between symbolic tensors; a subclass creates layers in `__init__` and connects them
    in `call`, or is given inputs and outputs and changes how they are trained.

    Args:
        inputs: symbolic tensors, alone or in a list, tuple or dictionary; None in a subclass
            with a `call` of its own.
        outputs: symbolic tensors that follow from them.
        name: automatic if not given.
        trainable: whether optimizers update it.
    """

    _untracked = frozenset(
        {
            "_session",
            "_compiled",
            "_companions",
            "_graph",
            "_whole",
            "_entrance",
            "history",
            "optimizer",
        }
    )

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is Model and (len(args) > 1 or "outputs" in kwargs):
            from slipstream.models.functional import Functional

            return super().__new__(Functional, *args, **kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, inputs: Any = None, outputs: Any = None, **kwargs: Any) -> None:
        if (inputs is None) != (outputs is None):
            given, lacking = ("inputs", "outputs") if outputs is None else ("outputs", "inputs")
            raise ValueError(f"Model got {given} but no {lacking}. Give both, or neither.")
        super().__init__(**kwargs)
        if inputs is not None:
            self._whole = self._graph = Graph(inputs, outputs).on_fresh_inputs()
            self._stack: list[Layer] = self._whole.layers
            if any(map(on_host, self._stack)):
                self._entrance = GraphEntrance(self._whole)
                self._graph = self._entrance.inner
            self.built = True
            if type(self).call is Running.call:
                self.per_example = self._graph.rows_stay_apart()
        self._session = None
        self._compiled = None
        self.stop_training = False
        self.interrupted = False
        self._companions: Sequence[Any] = ()  # variables of callbacks, for backups of a run
        self._resume_epoch: int | None = None  # set by a callback that restored an earlier run
        self.history: History | None = None
        self.last_run: dict[str, float] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Outputs for a batch; arrays in, arrays on the device out."""
        if self._entrance is not None and current_scope() is None and not symbols_in(args):
            args = (self._enter(args[0]), *args[1:])
        traced = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((args, kwargs)))
        plain = len(args) == 1 and not kwargs.get("training") and set(kwargs) <= {"training"}
        concrete = jax.tree.leaves(args) and all(
            isinstance(leaf, (np.ndarray, jax.Array)) for leaf in jax.tree.leaves(args)
        )
        if current_scope() is None and plain and concrete and not traced:
            # One compiled program rather than an operation at a time.
            x = to_arrays(args[0], "inputs")
            session = self._session or open_session(self, (x, None, None), compiled=False)
            self.check_input(x)
            return session.predict(x)
        return super().__call__(*args, **kwargs)

    def overrides(self, *names: str) -> bool:
        """Whether this model's class has a method of its own in the place of one of `Model`'s."""
        return any(getattr(type(self), name) is not getattr(Model, name) for name in names)

    def get_config(self) -> dict[str, Any]:
        """The graph of a functional model; the arguments of a subclass with its own."""
        if self._whole is None or not takes_graph(type(self)):
            return super().get_config()
        return graph_config(self, self._whole)

    def get_build_config(self) -> dict[str, Any] | None:
        """Shapes the model was built for; None where its graph says it all."""
        return None if self._graph is not None else super().get_build_config()

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """The model that `get_config` described."""
        if "input_layers" in config and takes_graph(cls):
            with registry.custom_object_scope(custom_objects):
                return model_from_config(cls, config)
        return super().from_config(config)

    # ---- state -------------------------------------------------------------------------------

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict[str, Any]:
        """Values of all variables as nested dictionaries, by the names in their paths.

        Args:
            value_format: ``"backend_tensor"`` for arrays on the device, ``"numpy_array"``.

        Returns:
            A dictionary with ``trainable_variables``, ``non_trainable_variables``,
            ``optimizer_variables`` and ``metrics_variables``; the arrays are the caller's own.

        Raises:
            ValueError: for another format.
        """
        return state_tree.get_state_tree(self, value_format)

    def set_state_tree(self, state_tree: dict[str, Any]) -> None:
        """Take values from such a tree, or from a part of one; all or none.

        Raises:
            ValueError: if it names a variable that is not there, or a shape differs.
        """
        set_state_tree(self, state_tree)

    # ---- on paper and on disk ----------------------------------------------------------------

    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Any = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
    ) -> None:
        """Print a table of the layers with output shapes, parameters, FLOPs and memory."""
        summary.summary(self, line_length, print_fn)

    def save(
        self, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any
    ) -> None:
        """Write the whole model to a ``.keras`` file, or a folder with `zipped` False.

        See `slipstream.saving.save_model`.
        """
        saving.save_model(self, filepath, overwrite, zipped)

    def save_weights(
        self, filepath: Any, overwrite: bool = True, max_shard_size: float | None = None
    ) -> None:
        """Write all weights to a ``.weights.h5`` file, as Keras 3 does, or ``.safetensors``.

        With `max_shard_size`, in GB, to several files and a ``.weights.json`` that names them.
        """
        saving.save_weights(self, filepath, overwrite, max_shard_size)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False) -> None:
        """Read weights that `save_weights`, or Keras 3, wrote."""
        saving.load_weights(self, filepath, skip_mismatch)

    def to_json(self, **kwargs: Any) -> str:
        """The architecture, without weights, as JSON."""
        config = registry.serialize(self)
        compiled = saving.compile_config(self)
        if compiled is not None:
            config["compile_config"] = compiled
        return json.dumps(config, **kwargs)


def model_from_json(json_string: str, custom_objects: dict[str, Any] | None = None) -> Any:
    """The model whose `to_json` this is, with new weights."""
    config = json.loads(json_string)
    with registry.custom_object_scope(custom_objects):
        model = registry.deserialize(config)
        if config.get("compile_config"):
            model.compile_from_config(config["compile_config"])
    return model
