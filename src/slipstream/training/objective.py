"""The objective: losses and metrics of `compile`, matched with the outputs of a model."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream import losses as losses_module
from slipstream import metrics as metrics_module
from slipstream.core.names import nearest
from slipstream.losses import Loss
from slipstream.metrics import Mean, MeanMetricWrapper, Metric


class Objective:
    """What a model is trained for and judged by.

    Args:
        loss: a name, function or `Loss`, or a list or dictionary of them, one an output.
        loss_weights: factor of each output's loss, in the same structure.
        metrics: names, functions or `Metric`s; a list or dictionary of lists for several outputs.
        weighted_metrics: the same, but sample weights count.

    The number and shapes of the outputs are known only once the model has run, so `bind` finishes
    the work then.
    """

    def __init__(
        self, loss: Any, loss_weights: Any = None, metrics: Any = None, weighted_metrics: Any = None
    ) -> None:
        self.given = (loss, loss_weights, metrics, weighted_metrics)
        self.loss_tracker = Mean(name="loss")
        self.names: list[str] = []
        self.losses: list[Loss | None] = []
        self.weights: list[float] = []
        self.output_trackers: list[Mean] = []
        self.metrics: list[list[tuple[Metric, bool]]] = []  # for each output: (metric, weighted)
        self.bound = False

    def check(self) -> None:
        """Raise a ValueError now for names that mean nothing, not only when data arrive."""
        loss, _, metrics, weighted = self.given
        for name in _strings(loss):
            losses_module.get(name)
        for name in (*_strings(metrics), *_strings(weighted)):
            if name.lower() not in (*_ACCURACY, *_CROSSENTROPY):
                metrics_module.get(name)

    # ---- matching with the outputs -----------------------------------------------------------

    def bind(self, outputs: Any, targets: Any, output_names: list[str] | None = None) -> None:
        """Match losses and metrics with outputs and targets, given as arrays or shapes.

        Raises:
            ValueError: if losses or metrics do not fit the outputs.
        """
        loss, weights, metrics, weighted = self.given
        predictions = jax.tree.leaves(outputs)
        self.names = _names(outputs, output_names)
        self.losses = [
            None if each is None else as_loss(each) for each in self._spread(loss, outputs, "loss")
        ]
        self.weights = [
            1.0 if each is None else float(each)
            for each in self._spread(weights, outputs, "loss_weights")
        ]
        several = sum(each is not None for each in self.losses) > 1
        self.output_trackers = (
            [Mean(name=f"{name}_loss") for name, each in zip(self.names, self.losses) if each]
            if several
            else []
        )
        truths = self.per_output(targets, outputs)
        self.metrics = [[] for _ in predictions]
        for given, is_weighted in ((metrics, False), (weighted, True)):
            for i, each in enumerate(self._spread(given, outputs, "metrics", nested=True)):
                for item in _flat_list(each):
                    metric = as_metric(item, truths[i], predictions[i], self.losses[i])
                    if len(predictions) > 1:
                        metric.name = f"{self.names[i]}_{metric.name}"
                    if not getattr(metric, "built", True):
                        metric.build(truths[i].shape, predictions[i].shape)
                    self.metrics[i].append((metric, is_weighted))
        self.bound = True

    def _spread(self, given: Any, outputs: Any, what: str, nested: bool = False) -> list[Any]:
        """One entry of `given` for each output."""
        count = len(self.names)
        if given is None:
            return [None] * count
        if isinstance(given, dict):
            unknown = set(given) - set(self.names)
            if unknown:
                name = sorted(unknown)[0]
                raise ValueError(
                    f"compile: {what} names the output {name!r}, which the model does not have. "
                    f"{nearest(name, self.names)}"
                )
            return [given.get(name) for name in self.names]
        if isinstance(given, (list, tuple)):
            per_output = not nested or (count > 1 and len(given) == count)
            if nested and count == 1:
                inner = (
                    given[0] if len(given) == 1 and isinstance(given[0], (list, tuple)) else given
                )
                return [inner]
            if per_output and len(given) == count:
                return list(given)
            raise ValueError(
                f"compile: {what} has {len(given)} entries, but the model has {count} outputs "
                f"({', '.join(self.names)}). Give one for each."
            )
        return [given] * count

    def per_output(self, given: Any, outputs: Any, repeat: bool = False) -> list[Any]:
        """One entry of targets or weights for each output, None where there is none.

        A dictionary goes by the outputs' names.

        Raises:
            ValueError: if there are more or fewer than outputs, or one is for no output.
        """
        count = len(self.names)
        if given is None:
            return [None] * count
        if isinstance(given, dict) and isinstance(outputs, dict):
            return [given.get(name) for name in sorted(outputs)]
        if isinstance(given, dict) and set(given) & set(self.names):
            unknown = sorted(set(given) - set(self.names))
            if unknown:
                raise ValueError(
                    f"The data name the output {unknown[0]!r}, which the model does not have. "
                    f"{nearest(unknown[0], self.names)}"
                )
            return [given.get(name) for name in self.names]
        leaves = jax.tree.leaves(given, is_leaf=lambda leaf: leaf is None)
        if len(leaves) == count:
            return leaves
        leaves = jax.tree.leaves(given)
        if len(leaves) == 1 and repeat:
            return leaves * count
        raise ValueError(
            f"The model has {count} outputs, but the data hold {len(leaves)} arrays of targets or "
            "weights. Give one for each output."
        )

    # ---- computing ---------------------------------------------------------------------------

    def compute_loss(
        self, targets: Any, outputs: Any, sample_weight: Any, row_mask: Any
    ) -> tuple[Any, list[Any]]:
        """Weighted sum of the losses of all outputs, and each by itself.

        Args:
            targets, outputs: arrays or structures of arrays, ``(batch, …)`` each.
            sample_weight: ``(batch,)`` weights or a structure of them, or None.
            row_mask: ``(batch,)`` bool, False for rows that do not count; None if all do.
        """
        predictions = jax.tree.leaves(outputs)
        truths = self.per_output(targets, outputs)
        weights = self.per_output(sample_weight, outputs, repeat=True)
        parts = []
        total: Any = 0.0
        for loss, factor, truth, prediction, weight in zip(
            self.losses, self.weights, truths, predictions, weights
        ):
            if loss is None:
                continue
            value = _call_loss(loss, truth, prediction, weight, row_mask)
            parts.append(value)
            total = total + (value if factor == 1.0 else value * factor)
        return jnp.asarray(total, jnp.float32), parts

    def track(self, loss: Any, parts: list[Any], rows: Any) -> None:
        """Stream the loss of one batch of so many rows, and each output's part of it."""
        rows = jnp.asarray(rows, jnp.float32)
        self.loss_tracker.update_state(loss, sample_weight=rows)
        for tracker, part in zip(self.output_trackers, parts):
            tracker.update_state(part, sample_weight=rows)

    def update(self, targets: Any, outputs: Any, sample_weight: Any, row_mask: Any) -> None:
        """Stream one batch into the metrics."""
        predictions = jax.tree.leaves(outputs)
        truths = self.per_output(targets, outputs)
        weights = self.per_output(sample_weight, outputs, repeat=True)
        mask = None if row_mask is None else row_mask.astype(jnp.float32)
        for entries, truth, prediction, weight in zip(self.metrics, truths, predictions, weights):
            for metric, weighted in entries:
                used = weight if weighted else None
                if mask is not None:
                    used = mask if used is None else used * mask.reshape(-1, *[1] * (used.ndim - 1))
                if used is None:
                    metric.update_state(truth, prediction)
                else:
                    metric.update_state(truth, prediction, sample_weight=used)

    def all_metrics(self) -> list[Metric]:
        """The loss trackers and all metrics, in the order in which they are reported."""
        return [
            self.loss_tracker,
            *self.output_trackers,
            *(metric for entries in self.metrics for metric, _ in entries),
        ]

    @property
    def per_example(self) -> bool:
        """Whether rows that count for nothing can be told apart in every loss and metric."""
        return all(loss is None or loss.per_example for loss in self.losses) and all(
            metric.per_example for metric in self.all_metrics()
        )


def as_loss(identifier: Any) -> Loss:
    """A `Loss` from a name, function or loss."""
    found = losses_module.get(identifier)
    if isinstance(found, Loss):
        return found
    return losses_module.LossFunctionWrapper(found, name=getattr(found, "__name__", None))


def _call_loss(loss: Loss, truth: Any, prediction: Any, weight: Any, row_mask: Any) -> Any:
    if row_mask is None:
        return loss(truth, prediction, sample_weight=weight)
    return loss(truth, prediction, sample_weight=weight, mask=row_mask)


_ACCURACY = ("accuracy", "acc")
_CROSSENTROPY = ("crossentropy", "ce")


def as_metric(identifier: Any, truth: Any, prediction: Any, loss: Loss | None) -> Metric:
    """A `Metric` from a name, function or metric.

    ``"accuracy"`` and ``"crossentropy"`` become the binary, categorical or sparse form that the
    shapes of target and prediction ask for.
    """
    if isinstance(identifier, Metric):
        return identifier
    name = identifier if isinstance(identifier, str) else None
    if name is not None and name.lower() in (*_ACCURACY, *_CROSSENTROPY):
        metric = _by_shapes(name.lower(), truth, prediction, loss)
        metric.name = name
        return metric
    found = metrics_module.get(identifier)
    if not isinstance(found, Metric):
        found = MeanMetricWrapper(found, name=getattr(found, "__name__", None))
    if name is not None:
        found.name = name
    return found


def _by_shapes(name: str, truth: Any, prediction: Any, loss: Loss | None) -> Metric:
    width = prediction.shape[-1] if prediction.ndim else 1
    sparse = truth is not None and (
        truth.ndim < prediction.ndim or (truth.shape[-1] == 1 and width > 1)
    )
    logits = bool(getattr(loss, "from_logits", False))
    if name in _ACCURACY:
        if width == 1:
            return metrics_module.BinaryAccuracy()
        if sparse:
            return metrics_module.SparseCategoricalAccuracy()
        return metrics_module.CategoricalAccuracy()
    if width == 1:
        return metrics_module.BinaryCrossentropy(from_logits=logits)
    if sparse:
        return metrics_module.SparseCategoricalCrossentropy(from_logits=logits)
    return metrics_module.CategoricalCrossentropy(from_logits=logits)


def _names(outputs: Any, given: list[str] | None) -> list[str]:
    count = len(jax.tree.leaves(outputs))
    if given is not None and len(given) == count:
        return list(given)
    if isinstance(outputs, dict):
        return sorted(outputs)
    return [f"output_{i}" if count > 1 else "output" for i in range(count)]


def _flat_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _strings(tree: Any) -> list[str]:
    return [leaf for leaf in jax.tree.leaves(tree) if isinstance(leaf, str)]
