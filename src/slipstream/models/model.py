"""`Model`: a layer that can be trained, judged, used and saved."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import jax
import numpy as np

from slipstream import optimizers
from slipstream.core import registry
from slipstream.core.layer import Layer
from slipstream.core.registry import register
from slipstream.core.scope import Scope, current_scope
from slipstream.data.arrays import to_arrays
from slipstream.models import saving, summary
from slipstream.training import loop, predict
from slipstream.training.callbacks.history import History
from slipstream.training.objective import Objective
from slipstream.training.session import Session, open_session


class Compiled(NamedTuple):
    """What `compile` was given, resolved."""

    optimizer: Any
    objective: Objective
    arguments: dict[str, Any]


@register("model")
class Model(Layer):
    """A layer that can be trained, judged, used and saved.

    Subclasses create layers in `__init__` and connect them in `call`. See `Sequential` for a
    plain stack of layers.
    """

    _untracked = frozenset({"_session", "_compiled", "history", "optimizer"})

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._session: Session | None = None
        self._compiled: Compiled | None = None
        self.stop_training = False
        self.interrupted = False
        self._resume_epoch: int | None = None  # set by a callback that restored an earlier run
        self.history: History | None = None
        self.last_run: dict[str, float] = {}
        self.output_names: list[str] | None = None

    # ---- structure ---------------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers held directly."""
        return self._layers

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
        return None

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Whether one array of this shape is known to fit as it is. `Sequential` knows."""
        return False

    def check_input(self, x: Any) -> None:
        """Raise a ValueError if data of these shapes cannot go in. `Sequential` knows more."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Outputs for a batch; arrays in, arrays on the device out."""
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
        """The loss tracker and all metrics, once data were seen."""
        return [] if self._compiled is None else self._compiled.objective.all_metrics()

    @property
    def metrics_names(self) -> list[str]:
        """Names of the metrics."""
        return [metric.name for metric in self.metrics]

    def reset_metrics(self) -> None:
        """Start all metrics anew."""
        for metric in self.metrics:
            metric.reset_state()

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
        return loop.fit(
            self, x, y, batch_size, epochs, verbose, callbacks, validation_split,
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
            self, x, y, batch_size, verbose, sample_weight, steps, callbacks, return_dict
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
        return predict.predict(self, x, batch_size, verbose, steps, callbacks)

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One training step on one batch; gives loss and metrics, streamed since the last reset."""
        return predict.train_on_batch(self, x, y, sample_weight, class_weight, return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Loss and metrics of one batch, streamed since the last reset."""
        return predict.test_on_batch(self, x, y, sample_weight, return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """Outputs for one batch as NumPy arrays."""
        return predict.predict_on_batch(self, x)

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
        """Write all weights to a ``.weights.h5`` file that Keras 3 can read."""
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


def model_from_json(text: str, custom_objects: dict[str, Any] | None = None) -> Any:
    """The model whose `to_json` this is, with new weights."""
    config = json.loads(text)
    with registry.custom_object_scope(custom_objects):
        model = registry.deserialize(config)
        if config.get("compile_config"):
            saving.compile_from_config(model, config["compile_config"])
    return model
