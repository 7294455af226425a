"""Intersection over union of predicted and true regions, class by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from slipstream.core import config
from slipstream.core.registry import register
from slipstream.metrics.base import Metric
from slipstream.metrics.counting import check_count
from slipstream.metrics.weighting import element_weights, ratio


class _ConfusionMatrix(Metric):
    """Streams the confusion matrix and reads the intersections over unions off it.

    Counts are whole numbers unless `dtype` says otherwise, so fractional weights, which lose
    their fraction then, need ``dtype="float32"``.
    """

    per_example = True
    direction = "up"

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__("int32" if dtype in (None, "int") else dtype, name)
        self.num_classes = check_count("num_classes", num_classes, least=1)
        self.target_class_ids: list[int] = list(range(num_classes))
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        self.total_cm = self.add_variable(
            (num_classes, num_classes), dtype=self.dtype, name="total_confusion_matrix"
        )

    def _choose(self, target_class_ids: Sequence[int]) -> None:
        chosen = [int(each) for each in target_class_ids]
        if not chosen or not all(0 <= each < self.num_classes for each in chosen):
            raise ValueError(
                f"target_class_ids must be one or more classes from 0 to {self.num_classes - 1}; "
                f"got {chosen}."
            )
        self.target_class_ids = chosen

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch.

        Args:
            y_true: ``(batch, …)`` class numbers; with `sparse_y_true` False scores on `axis`.
            y_pred: class numbers of the same shape; with `sparse_y_pred` False scores on `axis`.
            sample_weight: a scalar, ``(batch,)`` or up to the shape of the class numbers.

        Raises:
            ValueError: if the shapes do not fit.
        """
        self._add(
            jnp.asarray(y_true) if self.sparse_y_true else jnp.argmax(y_true, axis=self.axis),
            jnp.asarray(y_pred) if self.sparse_y_pred else jnp.argmax(y_pred, axis=self.axis),
            sample_weight,
        )

    def _add(self, y_true: Any, y_pred: Any, sample_weight: Any) -> None:
        """Add class numbers of any shape; those outside the classes do not count."""
        y_true, y_pred = y_true.astype(jnp.int32), y_pred.astype(jnp.int32)
        if y_true.size != y_pred.size:
            raise ValueError(
                f"Metric {self.name!r} ({type(self).__name__}) needs as many targets as "
                f"predictions; got class numbers of shape {y_true.shape} and {y_pred.shape}. Set "
                "sparse_y_true=False or sparse_y_pred=False for one-hot rows or scores."
            )
        if sample_weight is None:
            weights = jnp.ones((), self.dtype)
        else:
            whole = jnp.asarray(sample_weight).astype(self.dtype)
            like = y_true if y_true.ndim >= y_pred.ndim else y_pred
            weights = element_weights(self, whole, like.astype(self.dtype)).ravel()
        y_true, y_pred = y_true.ravel(), y_pred.ravel()
        valid = (y_true >= 0) & (y_true < self.num_classes)
        valid &= (y_pred >= 0) & (y_pred < self.num_classes)
        if self.ignore_class is not None:
            valid &= y_true != self.ignore_class
        place = jnp.where(valid, y_true * self.num_classes + y_pred, 0)
        counts = jnp.zeros(self.num_classes**2, self.dtype)
        counts = counts.at[place].add(jnp.where(valid, weights, 0))
        self.total_cm.assign_add(counts.reshape(self.total_cm.shape))

    def result(self) -> Any:
        """Mean over the chosen classes that occurred, in target or prediction; 0 if none did."""
        matrix = self.total_cm.value.astype(config.floatx())
        both = jnp.diagonal(matrix)
        either = jnp.sum(matrix, axis=0) + jnp.sum(matrix, axis=1) - both
        chosen = jnp.asarray(self.target_class_ids)
        both, either = both[chosen], either[chosen]
        occurs = either > 0
        each = jnp.where(occurs, both / (either + config.epsilon()), 0)
        return ratio(jnp.sum(each), jnp.sum(occurs).astype(each.dtype))

    def _config(self, *names: str) -> dict[str, Any]:
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@register("metric")
class IoU(_ConfusionMatrix):
    """Intersection over union, ``tp / (tp + fp + fn)``, averaged over chosen classes.

    Args:
        num_classes: how many classes there are.
        target_class_ids: the classes whose mean is taken.
        name: automatic if not given.
        dtype: type of the counts, ``"int32"`` if not given; fractional weights need a float.
        ignore_class: targets of this class do not count.
        sparse_y_true: whether targets are class numbers, not one-hot on `axis`.
        sparse_y_pred: whether predictions are class numbers, not scores on `axis`.
        axis: the axis of the classes.

    Raises:
        ValueError: if `target_class_ids` is empty or out of range.
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)
        self._choose(target_class_ids)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return self._config(
            "num_classes",
            "target_class_ids",
            "ignore_class",
            "sparse_y_true",
            "sparse_y_pred",
            "axis",
        )


@register("metric")
class MeanIoU(_ConfusionMatrix):
    """Intersection over union, ``tp / (tp + fp + fn)``, averaged over all classes.

    Args:
        num_classes: how many classes there are.
        name: automatic if not given.
        dtype: type of the counts, ``"int32"`` if not given; fractional weights need a float.
        ignore_class: targets of this class do not count.
        sparse_y_true: whether targets are class numbers, not one-hot on `axis`.
        sparse_y_pred: whether predictions are class numbers, not scores on `axis`.
        axis: the axis of the classes.

    Raises:
        ValueError: if `num_classes` is below 1.
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return self._config("num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")


@register("metric")
class OneHotIoU(_ConfusionMatrix):
    """`IoU` for one-hot targets and, unless told otherwise, scores as predictions.

    Args:
        num_classes: how many classes there are.
        target_class_ids: the classes whose mean is taken.
        name: automatic if not given.
        dtype: type of the counts, ``"int32"`` if not given; fractional weights need a float.
        ignore_class: targets of this class do not count.
        sparse_y_pred: whether predictions are class numbers, not scores on `axis`.
        axis: the axis of the classes.

    Raises:
        ValueError: if `target_class_ids` is empty or out of range.
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)
        self._choose(target_class_ids)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return self._config(
            "num_classes", "target_class_ids", "ignore_class", "sparse_y_pred", "axis"
        )


@register("metric")
class OneHotMeanIoU(_ConfusionMatrix):
    """`MeanIoU` for one-hot targets and, unless told otherwise, scores as predictions.

    Args:
        num_classes: how many classes there are.
        name: automatic if not given.
        dtype: type of the counts, ``"int32"`` if not given; fractional weights need a float.
        ignore_class: targets of this class do not count.
        sparse_y_pred: whether predictions are class numbers, not scores on `axis`.
        axis: the axis of the classes.

    Raises:
        ValueError: if `num_classes` is below 1.
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return self._config("num_classes", "ignore_class", "sparse_y_pred", "axis")


@register("metric")
class BinaryIoU(_ConfusionMatrix):
    """`IoU` of the classes 0 and 1, where predictions are cut at a threshold.

    Args:
        target_class_ids: the classes whose mean is taken.
        threshold: predictions of at least this stand for class 1.
        name: automatic if not given.
        dtype: type of the counts, ``"int32"`` if not given; fractional weights need a float.

    Raises:
        ValueError: if `target_class_ids` is empty or out of range.
    """

    per_example = True

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(2, name, dtype)
        self._choose(target_class_ids)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch.

        Args:
            y_true: ``(batch, …)`` targets of 0 and 1.
            y_pred: scores of the same shape.
            sample_weight: a scalar, ``(batch,)`` or up to the full shape.

        Raises:
            ValueError: if the shapes do not fit.
        """
        self._add(jnp.asarray(y_true), jnp.asarray(y_pred) >= self.threshold, sample_weight)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return self._config("target_class_ids", "threshold")
