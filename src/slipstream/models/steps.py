"""One step of training, testing or predicting, in the form that a subclass may override."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import jax

from slipstream.core.scope import Scope, current_scope
from slipstream.data.batch_tuples import unpack_x_y_sample_weight
from slipstream.models.compiling import Compilable


class Steps(Compilable):
    """The part of `Model` that holds its steps, as pure functions of the values of variables."""

    optimizer: Any

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
            return loss, (loss, outputs, others)

        gradients, beside = self.optimizer.differentiate(loss_of, trainable)
        loss, outputs, non_trainable = beside
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

    def compute_loss_and_updates(
        self,
        trainable_variables: Any,
        non_trainable_variables: Any,
        metrics_variables: Any,
        x: Any,
        y: Any,
        sample_weight: Any,
        training: bool = False,
        optimizer_variables: Any = None,
    ) -> tuple[Any, tuple[Any, Any, Any, Any]]:
        """Outputs and loss as a pure function, in the form that `jax.value_and_grad` takes.

        Returns:
            The loss to differentiate, scaled if the optimizer scales it, and the plain loss, the
            outputs, and the new values of the non-trainable and of the metrics' variables.
        """
        with Scope().active() if current_scope() is None else nullcontext():
            outputs, others = self.stateless_call(
                trainable_variables, non_trainable_variables, x, training=training
            )
            loss, (_, others, metrics_variables) = self.stateless_compute_loss(
                trainable_variables,
                others,
                metrics_variables,
                x=x,
                y=y,
                y_pred=outputs,
                sample_weight=sample_weight,
                training=training,
            )
        scaled = loss
        if training and optimizer_variables is not None:
            owned = self.optimizer.variables
            with Scope(owned, optimizer_variables).active():
                scaled = self.optimizer.scale_loss(loss)
        return scaled, (loss, outputs, others, metrics_variables)

    def _stateless_metrics(
        self, values: Any, loss: Any, x: Any, y: Any, outputs: Any, sample_weight: Any
    ) -> tuple[dict[str, Any], list[Any]]:
        variables = self.metrics_variables
        scope = Scope(variables, values)
        with scope.active():
            self._objective().track(loss, [], jax.tree.leaves((x, outputs))[0].shape[0])
            logs = self.compute_metrics(x, y, outputs, sample_weight)
        return logs, scope.read(variables)

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
        if outer is not None:
            scope.losses, scope.regularized = outer.losses, outer.regularized
        with scope.active():
            loss = self.compute_loss(x, y, y_pred, sample_weight, training)
        trainable, others, metrics = (scope.read(own) for own, _ in lists)
        return loss, (trainable, others, metrics)
