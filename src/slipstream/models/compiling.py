"""What a model is trained with: optimizer, losses, metrics."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp

from slipstream import optimizers
from slipstream.core import registry
from slipstream.core.scope import current_scope
from slipstream.models.structure import Structured
from slipstream.training.objective import Objective
from slipstream.training.session import Session, results_of

_ARGUMENTS = (
    "optimizer", "loss", "loss_weights", "metrics", "weighted_metrics", "run_eagerly",
    "steps_per_execution", "jit_compile",
)  # fmt: skip


class Compiled(NamedTuple):
    """What `compile` was given, resolved."""

    optimizer: Any
    objective: Objective
    arguments: dict[str, Any]


class Compilable(Structured):
    """The part of `Model` that is compiled: what it is trained with and judged by."""

    _compiled: Compiled | None = None
    _session: Session | None = None

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

    def get_compile_config(self) -> dict[str, Any]:
        """The arguments of `compile`, ready for JSON; empty if the model is not compiled.

        Raises:
            TypeError: for an argument that is neither ours nor registered.
        """
        return {} if self._compiled is None else registry.serialize_dict(self._compiled.arguments)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as `get_compile_config` described, and build the optimizer if possible."""
        known = {key: registry.deserialize(config[key]) for key in _ARGUMENTS if key in config}
        self.compile(**known)
        if self.built and self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    @property
    def jit_compile(self) -> bool:
        """True: programs are always compiled."""
        return True

    @property
    def run_eagerly(self) -> bool:
        """False: programs are always compiled."""
        return False

    @property
    def steps_per_execution(self) -> int:
        """What `compile` was told; the steps a dispatch runs are chosen by measurement."""
        return 1 if self._compiled is None else self._compiled.arguments["steps_per_execution"]

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
        own = super().metrics
        given = [] if self._compiled is None else self._compiled.objective.all_metrics()
        if self._compiled is not None and not given:
            given = [self._compiled.objective.loss_tracker]
        return list({id(metric): metric for metric in (*given, *own)}.values())

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
        own = type(self).compute_loss is not Compilable.compute_loss
        if not parts and not penalties and not own:
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

    def make_train_function(self, force: bool = False) -> None:
        """Kept for Keras' signature: programs are made when they are needed."""

    def make_test_function(self, force: bool = False) -> None:
        """Kept for Keras' signature: programs are made when they are needed."""

    def make_predict_function(self, force: bool = False) -> None:
        """Kept for Keras' signature: programs are made when they are needed."""

    def jax_state_sync(self) -> None:
        """Kept for Keras' signature: variables always show their present values."""

    @property
    def metrics_names(self) -> list[str]:
        """Names of the metrics."""
        return [metric.name for metric in self.metrics]

    def reset_metrics(self) -> None:
        """Start all metrics anew."""
        for metric in self.metrics:
            metric.reset_state()
