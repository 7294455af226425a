"""`Model`: a layer that can be trained, judged, used and saved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from slipstream import optimizers
from slipstream.core import registry
from slipstream.core.config import floatx
from slipstream.core.layer import Layer, says_when_built
from slipstream.core.registry import register
from slipstream.core.scope import Scope, attach, current_scope
from slipstream.core.signature import is_shape
from slipstream.core.symbol import SymbolicTensor, symbols_in
from slipstream.data.arrays import to_arrays
from slipstream.data.pack import unpack_x_y_sample_weight
from slipstream.metrics import Metric
from slipstream.models import saving, summary
from slipstream.models.entrance import GraphEntrance, enter_all, on_host
from slipstream.models.graph import Graph, call_layer, infer_layer
from slipstream.models.graph_config import graph_config, model_from_config, takes_graph
from slipstream.models.inputs import (
    arrange,
    check_shapes,
    fit_rank,
    input_names,
    output_names,
)
from slipstream.training import loop, predict
from slipstream.training.callbacks.history import History
from slipstream.training.objective import Objective
from slipstream.training.session import Session, open_session, results_of


class Compiled(NamedTuple):
    """What `compile` was given, resolved."""

    optimizer: Any
    objective: Objective
    arguments: dict[str, Any]


@register("model")
class Model(Layer):
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
        {"_session", "_compiled", "_graph", "_whole", "_entrance", "history", "optimizer"}
    )
    _whole: Graph | None = None  # from the model's inputs to its outputs
    _graph: Graph | None = None  # the part that programs run: all but the layers on the host
    _entrance: Any = None  # the layers on the host, if there are any

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
            if type(self).call is Model.call:
                self.per_example = self._graph.rows_stay_apart()
        self._session: Session | None = None
        self._compiled: Compiled | None = None
        self.stop_training = False
        self.interrupted = False
        self._resume_epoch: int | None = None  # set by a callback that restored an earlier run
        self.history: History | None = None
        self.last_run: dict[str, float] = {}

    # ---- structure ---------------------------------------------------------------------------

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """Run the graph of a functional model. Subclasses override it."""
        if self._graph is None:
            raise NotImplementedError(
                f"Model {type(self).__name__} has no call() of its own, nor inputs and outputs."
            )
        values = arrange(self._graph, inputs, self.name)
        masks = [None] * len(values) if mask is None else jax.tree.leaves(mask)
        values = [fit_rank(value, spec) for value, spec in zip(values, self._graph.sources)]
        for value, known in zip(values, masks):
            if known is not None:
                attach(value, "mask", known)
        return self._graph.run(values, call_layer)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic outputs for symbolic inputs."""
        if self._whole is None or type(self).call is not Model.call:
            return super().compute_output_spec(*args, **kwargs)
        return self._whole.run(arrange(self._whole, args[0], self.name), infer_layer)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Shapes of the outputs for inputs of these shapes, batch axis included."""
        return super().compute_output_shape(input_shape)

    def _pass_mask(self, args: tuple, outputs: Any) -> None:
        """The layers inside have noted the outputs' masks."""

    def _known_output_shape(self, args: tuple, kwargs: dict) -> Any:
        return None

    @property
    def layers(self) -> list[Layer]:
        """The layers held directly; of a functional model those of its graph."""
        return self._layers

    @property
    def inputs(self) -> list[SymbolicTensor]:
        """The symbolic inputs."""
        return self._known_graph("inputs").sources

    @property
    def outputs(self) -> list[SymbolicTensor]:
        """The symbolic outputs."""
        return self._known_graph("outputs").results

    @property
    def input(self) -> Any:
        """The symbolic inputs in the structure they were given in."""
        return self._known_graph("input").inputs

    @property
    def output(self) -> Any:
        """The symbolic outputs in the structure they were given in."""
        return self._known_graph("output").outputs

    @property
    def input_shape(self) -> Any:
        """Shapes of the inputs, batch axis included."""
        return jax.tree.map(lambda symbol: symbol.shape, self.input)

    @property
    def output_shape(self) -> Any:
        """Shapes of the outputs, batch axis included."""
        return jax.tree.map(lambda symbol: symbol.shape, self.output)

    @property
    def input_names(self) -> list[str] | None:
        """Names of the inputs, or None where the model is no functional one."""
        return None if self._whole is None else input_names(self._whole)

    @property
    def output_names(self) -> list[str] | None:
        """Names of the outputs, or None where the model is no functional one."""
        return None if self._graph is None else output_names(self._graph)

    def _known_graph(self, what: str) -> Graph:
        if self._whole is None:
            raise AttributeError(
                f"Model {self.name!r} ({type(self).__name__}) has no attribute {what!r}: only "
                "functional and Sequential models know their symbolic tensors."
            )
        return self._whole

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name or place.

        Raises:
            ValueError: unless exactly one argument is given and there is such a layer.
        """
        if (name is None) == (index is None):
            raise ValueError("get_layer takes a name or an index.")
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(
                    f"Model {self.name!r} has {len(layers)} layers; there is none at {index}."
                )
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise ValueError(
            f"Model {self.name!r} has no layer named {name!r}. It has: "
            + ", ".join(layer.name for layer in layers)
        )

    @says_when_built
    def build(self, input_shape: Any = None) -> None:
        """Build all layers for inputs of these shapes, batch axis included."""
        if self.built or type(self).call is Model.call:
            return
        sizes = jax.tree.map(
            lambda shape: jax.ShapeDtypeStruct([1 if s is None else s for s in shape], floatx()),
            input_shape,
            is_leaf=is_shape,
        )
        self.build_on(sizes)

    def _maybe_build(self, args: tuple, kwargs: dict) -> None:
        if type(self).build is not Model.build:
            super()._maybe_build(args, kwargs)
        elif not self.built:  # the layers inside are built by the call that follows
            shapes = list(self._shapes(args, kwargs).values())
            self._build_shapes = {"input_shape": shapes[0]} if shapes else None
            self.built = True

    def build_on(self, x: Any) -> None:
        """Build all layers by running the model on the shapes of a batch."""
        shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), x)

        def run(x: Any) -> Any:
            with Scope(training=False, dry=True).active():
                return self(x)

        jax.eval_shape(run, shapes)
        self.built = True

    def output_shapes(self, rows: int) -> Any:
        """Shapes of the outputs for so many rows if they are known without a trace, else None."""
        if self._graph is None or any(None in s.shape[1:] for s in self._graph.results):
            return None
        return jax.tree.map(
            lambda symbol: jax.ShapeDtypeStruct((rows, *symbol.shape[1:]), symbol.dtype),
            self._graph.outputs,
        )

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Whether one array of this shape is known to fit as it is."""
        if self._graph is None or len(self._graph.sources) != 1:
            return False
        return shape[1:] == self._graph.sources[0].shape[1:]

    def check_input(self, x: Any) -> None:
        """Raise a ValueError that shows both shapes if data cannot go in."""
        if self._graph is not None:
            check_shapes(self._graph, x, self.name)

    def _enter(self, x: Any) -> Any:
        """Data, or batches, after the layers that work on the host."""
        entrance = self._entrance
        if entrance is None or x is None:
            return x
        return enter_all(x, lambda data: entrance.enter(data, self.name))

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
            return session.predict(session.frozen(), x)
        return super().__call__(*args, **kwargs)

    # ---- training ----------------------------------------------------------------------------

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Set what the model is trained with.

        Args:
            optimizer: name, optimizer or optax transformation.
            loss: name, function or `Loss`; a list or dictionary of them for several outputs.
            loss_weights: factor of each output's loss.
            metrics: names, functions or `Metric`s; for several outputs a list or dictionary of
                lists. ``"accuracy"`` takes the form that the shapes ask for.
            weighted_metrics: metrics in which sample weights count.
            run_eagerly, steps_per_execution, jit_compile, auto_scale_loss: accepted for Keras'
                signature. Programs are always compiled, and the number of steps a dispatch is
                chosen by measurement.

        Raises:
            ValueError: for unknown names; the nearest known ones are suggested.
        """
        resolved = optimizers.get(optimizer)
        arguments = {
            "optimizer": resolved,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
        }
        objective = Objective(loss, loss_weights, metrics, weighted_metrics)
        objective.check()
        self._compiled = Compiled(resolved, objective, arguments)
        self._session = None
        self.optimizer = resolved

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self._compiled is not None

    @property
    def loss(self) -> Any:
        """The loss given to `compile`."""
        return None if self._compiled is None else self._compiled.arguments["loss"]

    @property
    def metrics(self) -> list[Any]:
        """The loss tracker and all metrics: of `compile`, and those held in attributes."""
        own = held_metrics(self)
        given = [] if self._compiled is None else self._compiled.objective.all_metrics()
        if self._compiled is not None and not given:
            given = [self._compiled.objective.loss_tracker]
        return list({id(metric): metric for metric in (*given, *own)}.values())

    @property
    def metrics_variables(self) -> list[Any]:
        """The variables of all metrics, in order."""
        return [variable for metric in self.metrics for variable in metric.variables]

    def overrides(self, *names: str) -> bool:
        """Whether this model's class has a method of its own in the place of one of `Model`'s."""
        return any(getattr(type(self), name) is not getattr(Model, name) for name in names)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The loss of one batch: `compile`'s, and what layers and weights add. May be overridden.

        Raises:
            ValueError: if there is neither.
        """
        objective = self._objective()
        if not objective.bound:
            objective.bind(y_pred, y, self.output_names)
        scope = current_scope()
        row_mask = None if scope is None else scope.row_mask
        total, parts = objective.compute_loss(y, y_pred, sample_weight, row_mask)
        if scope is not None:
            scope.parts = parts
        penalties = self.losses
        if not parts and not penalties and not self.overrides("compute_loss"):
            raise ValueError(
                f"Model {self.name!r} has nothing to minimize: compile() was given no loss, and no "
                "layer adds one. Pass compile(loss=…), or call add_loss() in a layer."
            )
        for penalty in penalties:
            total = total + jnp.sum(penalty)
        return total

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Stream one batch into `compile`'s metrics and give all results. May be overridden."""
        objective = self._objective()
        scope = current_scope()
        objective.update(y, y_pred, sample_weight, None if scope is None else scope.row_mask)
        return self.get_metrics_result()

    def get_metrics_result(self) -> dict[str, Any]:
        """The present value of each metric, by name."""
        return results_of(self.metrics)

    def _objective(self) -> Objective:
        if self._compiled is None:
            raise ValueError(
                f"Model {self.name!r} is not compiled. Call compile(optimizer=…, loss=…) first."
            )
        return self._compiled.objective

    def train_step(self, state: Any, data: Any) -> tuple[dict[str, Any], Any]:
        """One step of training as a pure function. A subclass may put its own in its place.

        Args:
            state: values of ``(trainable_variables, non_trainable_variables,
                optimizer.variables, metrics_variables)``, a list each.
            data: one batch: ``x``, ``(x, y)`` or ``(x, y, sample_weight)``.

        Returns:
            The logs, and the new state.
        """
        trainable, non_trainable, optimizer_values, metrics = state
        x, y, sample_weight = unpack_x_y_sample_weight(data)

        def loss_of(values: Any) -> Any:
            outputs, others = self.stateless_call(values, non_trainable, x, training=True)
            loss = self.compute_loss(x, y, outputs, sample_weight, training=True)
            return loss, (outputs, others)

        (loss, (outputs, non_trainable)), gradients = jax.value_and_grad(loss_of, has_aux=True)(
            trainable
        )
        trainable, optimizer_values = self.optimizer.stateless_apply(
            optimizer_values, gradients, trainable
        )
        logs, metrics = self._stateless_metrics(metrics, loss, x, y, outputs, sample_weight)
        return logs, (trainable, non_trainable, optimizer_values, metrics)

    def test_step(self, state: Any, data: Any) -> tuple[dict[str, Any], Any]:
        """One step of evaluation as a pure function; `train_step` without the optimizer."""
        trainable, non_trainable, metrics = state
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        outputs, non_trainable = self.stateless_call(trainable, non_trainable, x, training=False)
        loss = self.compute_loss(x, y, outputs, sample_weight, training=False)
        logs, metrics = self._stateless_metrics(metrics, loss, x, y, outputs, sample_weight)
        return logs, (trainable, non_trainable, metrics)

    def predict_step(self, state: Any, data: Any) -> tuple[Any, Any]:
        """Outputs for one batch as a pure function of ``(trainable, non_trainable)`` values."""
        trainable, non_trainable = state
        x, _, _ = unpack_x_y_sample_weight(data)
        outputs, non_trainable = self.stateless_call(trainable, non_trainable, x, training=False)
        return outputs, non_trainable

    def _stateless_metrics(
        self, values: Any, loss: Any, x: Any, y: Any, outputs: Any, sample_weight: Any
    ) -> tuple[dict[str, Any], list[Any]]:
        variables = self.metrics_variables
        scope = Scope(variables, values)
        with scope.active():
            self._objective().track(loss, [], jax.tree.leaves((x, outputs))[0].shape[0])
            logs = self.compute_metrics(x, y, outputs, sample_weight)
        return logs, scope.read(variables)

    @property
    def metrics_names(self) -> list[str]:
        """Names of the metrics."""
        return [metric.name for metric in self.metrics]

    def reset_metrics(self) -> None:
        """Start all metrics anew."""
        for metric in self.metrics:
            metric.reset_state()

    def stateless_compute_loss(
        self,
        trainable_variables: Any,
        non_trainable_variables: Any,
        metrics_variables: Any,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tuple[Any, tuple[Any, Any, Any]]:
        """`compute_loss` for given values of all variables, and their values after it."""
        lists = (
            (self.trainable_variables, trainable_variables),
            (self.non_trainable_variables, non_trainable_variables),
            (self.metrics_variables, metrics_variables),
        )
        outer = current_scope()
        scope = Scope([v for own, _ in lists for v in own], [v for _, new in lists for v in new])
        scope.losses = [] if outer is None else outer.losses
        with scope.active():
            loss = self.compute_loss(x, y, y_pred, sample_weight, training)
        trainable, others, metrics = (scope.read(own) for own, _ in lists)
        return loss, (trainable, others, metrics)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | str = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
    ) -> History:
        """Train the model.

        Args:
            x: inputs ``(examples, …)``: an array, pandas or torch object, or a list or dictionary
                of them; or batches of ``(x, y)`` or ``(x, y, sample_weight)`` from a generator,
                `PyDataset`, DataLoader, tf.data or any other iterable.
            y: targets ``(examples, …)``; ``(n,)`` and ``(n, 1)`` mean the same.
            batch_size: examples a step, 32 if not given. The last, smaller batch counts as it is.
            epochs: epoch at which to stop; with `initial_epoch` 2 and `epochs` 5 three are run.
            verbose: 0 silent, 1 or ``"auto"`` a bar, 2 one line an epoch.
            callbacks: `Callback`s, called in order.
            validation_split: share of the last rows held out for validation, before shuffling.
            validation_data: ``(x, y)``, ``(x, y, sample_weight)`` or batches.
            shuffle: whether each epoch has an order of its own; ``"batch"`` shuffles whole batches.
            class_weight: weight of each class number.
            sample_weight: weight of each example, ``(examples,)``.
            initial_epoch: number of the first epoch, to go on with an earlier run.
            steps_per_epoch: batches of an epoch, for endless data.
            validation_steps: batches of a validation.
            validation_batch_size: `batch_size` if not given.
            validation_freq: validate every so many epochs, or after the epochs in a list.

        Returns:
            The `History`: ``history.history["loss"]`` and so on, one number an epoch.

        Raises:
            ValueError: if the model is not compiled, or data and model do not fit together.
        """
        if self._entrance is not None and isinstance(validation_data, tuple):
            validation_data = (self._enter(validation_data[0]), *validation_data[1:])
        elif validation_data is not None:
            validation_data = self._enter(validation_data)
        return loop.fit(
            self, self._enter(x), y, batch_size, epochs, verbose, callbacks, validation_split,
            validation_data, shuffle, class_weight, sample_weight, initial_epoch,
            steps_per_epoch, validation_steps, validation_batch_size, validation_freq,
        )  # fmt: skip

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Loss and metrics on data, taken as `fit` takes them.

        Returns:
            The loss alone, a list with the metrics after it, or a dictionary.
        """
        return loop.evaluate(
            self,
            self._enter(x),
            y,
            batch_size,
            verbose,
            sample_weight,
            steps,
            callbacks,
            return_dict,
        )

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """Outputs for all examples as NumPy arrays.

        Args:
            x: inputs, or batches, as in `fit`.
            batch_size: examples computed together, at least; 32 if not given. Where examples
                cannot influence each other more are taken at a time.
            verbose: 1 prints a line with the speed.
            steps: batches to stop after.
            callbacks: `Callback`s.
        """
        return predict.predict(self, self._enter(x), batch_size, verbose, steps, callbacks)

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One training step on one batch; gives loss and metrics, streamed since the last reset."""
        return predict.train_on_batch(
            self, self._enter(x), y, sample_weight, class_weight, return_dict
        )

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Loss and metrics of one batch, streamed since the last reset."""
        return predict.test_on_batch(self, self._enter(x), y, sample_weight, return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """Outputs for one batch as NumPy arrays."""
        return predict.predict_on_batch(self, self._enter(x))

    # ---- configuration -----------------------------------------------------------------------

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

    def save(self, filepath: Any, overwrite: bool = True, **kwargs: Any) -> None:
        """Write the whole model to a ``.keras`` file; see `slipstream.saving.save_model`."""
        saving.save_model(self, filepath, overwrite)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Write all weights to a ``.weights.h5`` file, as Keras 3 does, or ``.safetensors``."""
        saving.save_weights(self, filepath, overwrite)

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


def held_metrics(model: Layer) -> list[Metric]:
    """Metrics that a model, or a layer inside it, holds in attributes."""

    def inside(value: Any) -> Iterator[Metric]:
        if isinstance(value, Metric):
            yield value
        elif isinstance(value, (list, tuple)):
            for item in value:
                yield from inside(item)
        elif isinstance(value, dict):
            for item in value.values():
                yield from inside(item)

    return [
        metric
        for layer in model._flatten_layers()
        for _, value in layer.attributes()
        for metric in inside(value)
    ]


def model_from_json(text: str, custom_objects: dict[str, Any] | None = None) -> Any:
    """The model whose `to_json` this is, with new weights."""
    config = json.loads(text)
    with registry.custom_object_scope(custom_objects):
        model = registry.deserialize(config)
        if config.get("compile_config"):
            saving.compile_from_config(model, config["compile_config"])
    return model
