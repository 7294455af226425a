"""`TensorBoard`: the course of a training as files that TensorBoard shows."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from slipstream.training.callbacks.base import Callback
from slipstream.training.callbacks.learning_rate import learning_rate_of
from slipstream.training.callbacks.summaries import image_summary, model_summary, tensorboardx


class TensorBoard(Callback):
    """Writes figures, learning rate and weights for TensorBoard, through tensorboardX.

    Training goes to ``log_dir/train`` and validation to ``log_dir/validation``, under Keras'
    names: ``epoch_loss``, ``epoch_learning_rate``, ``evaluation_loss_vs_iterations`` …

    Args:
        log_dir: directory, one for each run.
        histogram_freq: epochs between two histograms of all weights; 0 for none.
        write_graph: whether to write the model's layers for the graph page.
        write_images: whether to write each weight as a picture along with its histogram: one row
            or column for each output, black for the least value and white for the greatest.
        write_steps_per_second: whether to write the speed.
        update_freq: ``"epoch"``, or a number of batches after which training figures are written
            (``"batch"`` is 1); the loop then stops after every batch.
        profile_batch: number of a batch, counted from 1, or pair of first and last one, to record
            with JAX's profiler; the loop then stops after every batch.
        embeddings_freq: epochs between two copies of the embedding tables for the projector page;
            0 for none.
        embeddings_metadata: file with a label a line for the rows of the tables, or a dictionary
            of such files by the name of the layer.

    Raises:
        ImportError: if tensorboardX is not installed.
        ValueError: if `update_freq`, `profile_batch` or `embeddings_metadata` make no sense.
    """

    def __init__(
        self,
        log_dir: Any = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ) -> None:
        super().__init__()
        tensorboardx()  # better missed now than after an hour
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = histogram_freq
        self.write_graph = write_graph
        self.write_images = write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = 1 if update_freq == "batch" else update_freq
        self.embeddings_freq = embeddings_freq
        self.embeddings_metadata = embeddings_metadata
        if self.update_freq != "epoch" and (
            not isinstance(self.update_freq, int) or self.update_freq < 1
        ):
            raise ValueError(
                "update_freq must be 'epoch', 'batch' or a number of batches of at least 1; got "
                f"{update_freq!r}."
            )
        self._profiled = _pair(profile_batch)
        self._profiling = False
        self._writers: dict[str, Any] = {}
        self._batches = 0
        if self.update_freq != "epoch" or self._profiled != (0, 0):
            vars(self)["on_train_batch_begin"] = self._batch_begins
            vars(self)["on_train_batch_end"] = self._batch_ends

    def _writer(self, part: str) -> Any:
        if part not in self._writers:
            path = os.path.join(self.log_dir, part)
            self._writers[part] = tensorboardx().SummaryWriter(path)
        return self._writers[part]

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Check what is to be written, and write the graph."""
        self._batches = 0
        if self.embeddings_freq:
            self._labels()
        if self.write_graph:
            self._writer("train").file_writer.add_summary(model_summary(self.model), 0)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Close the files."""
        self._stop_profiling()
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the epoch's clock."""
        if self.write_steps_per_second:
            self._epoch_began = time.perf_counter()
            self._epoch_step = int(self.model.optimizer.iterations)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write what is due after this epoch."""
        figures = {k: v for k, v in (logs or {}).items() if not k.startswith("val_")}
        if hasattr(self.model.optimizer, "learning_rate"):
            figures["learning_rate"] = learning_rate_of(self.model.optimizer)
        if self.write_steps_per_second:
            steps = int(self.model.optimizer.iterations) - self._epoch_step
            figures["steps_per_second"] = steps / (time.perf_counter() - self._epoch_began)
        self._scalars("train", "epoch_{}", figures, epoch)
        validation = {k[4:]: v for k, v in (logs or {}).items() if k.startswith("val_")}
        if validation:
            self._scalars("validation", "epoch_{}", validation, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._weights(epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            self._embeddings(epoch)
        for writer in self._writers.values():
            writer.flush()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Write the evaluation's figures against the number of training steps."""
        if self.model.optimizer is not None:
            step = int(self.model.optimizer.iterations)
            self._scalars("validation", "evaluation_{}_vs_iterations", logs or {}, step)
            self._writer("validation").flush()

    def _scalars(self, part: str, tag: str, figures: dict[str, Any], step: int) -> None:
        writer = self._writer(part)
        for name, value in figures.items():
            if np.ndim(value) == 0:
                writer.add_scalar(tag.format(name), float(value), step)

    # ---- weights -----------------------------------------------------------------------------

    def _weights(self, epoch: int) -> None:
        writer = self._writer("train")
        for variable in self.model.variables:
            name = variable.path.replace(":", "_")
            value = np.asarray(variable.numpy(), np.float32)
            if not np.isfinite(value).all():
                continue  # no bins could hold them
            writer.add_histogram(f"{name}/histogram", value, epoch)
            if self.write_images and value.ndim:
                writer.file_writer.add_summary(image_summary(f"{name}/image", value), epoch)

    def _tables(self) -> list[tuple[Any, Any]]:
        """The embedding layers, and the table of each."""
        layers = self.model._flatten_layers()
        return [
            (layer, layer.embeddings) for layer in layers if type(layer).__name__ == "Embedding"
        ]

    def _labels(self) -> dict[str, list[str]]:
        """Labels of the rows, by the name of the layer."""
        sizes = {layer.name: table.shape[0] for layer, table in self._tables()}
        given = self.embeddings_metadata or {}
        files = given if isinstance(given, dict) else dict.fromkeys(sizes, given)
        labels = {}
        for name, file in files.items():
            if name not in sizes:
                raise ValueError(
                    f"embeddings_metadata names {name!r}, which is no Embedding layer of the "
                    f"model. It has: {', '.join(sizes) or 'none'}."
                )
            labels[name] = Path(file).read_text().splitlines()
            if len(labels[name]) != sizes[name]:
                raise ValueError(
                    f"embeddings_metadata: {str(file)!r} has {len(labels[name])} lines; the table "
                    f"of {name!r} has {sizes[name]} rows. Give one label a row."
                )
        return labels

    def _embeddings(self, epoch: int) -> None:
        labels = self._labels()
        for layer, table in self._tables():
            self._writer("train").add_embedding(
                np.asarray(table.numpy(), np.float32), labels.get(layer.name), tag=layer.name,
                global_step=epoch,
            )  # fmt: skip

    # ---- batches -----------------------------------------------------------------------------

    def _batch_begins(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        type(self).on_train_batch_begin(self, batch, logs)  # a subclass may have its own
        self._batches += 1
        self._batch_began = time.perf_counter()
        if self._batches == self._profiled[0]:
            jax.profiler.start_trace(os.path.join(self.log_dir, "train"))
            self._profiling = True

    def _batch_ends(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        type(self).on_train_batch_end(self, batch, logs)
        if self._batches >= self._profiled[1]:
            self._stop_profiling()
        if self.update_freq == "epoch" or self._batches % int(self.update_freq):
            return
        figures = dict(logs or {})
        if self.write_steps_per_second:
            figures["steps_per_second"] = 1 / (time.perf_counter() - self._batch_began)
        self._scalars("train", "batch_{}", figures, self._batches)

    def _stop_profiling(self) -> None:
        if self._profiling:
            jax.profiler.stop_trace()
            self._profiling = False


def _pair(batches: Any) -> tuple[int, int]:
    """First and last batch to profile; zeros for none."""
    try:
        if isinstance(batches, str):
            batches = [int(part) for part in batches.split(",")]
        elif isinstance(batches, int):
            batches = [batches]
        first, last = (int(batches[0]), int(batches[-1]))
        if len(batches) > 2 or not 0 <= first <= last or (first == 0) != (last == 0):
            raise ValueError
    except (TypeError, ValueError, IndexError):
        raise ValueError(
            "profile_batch must be 0, the number of a batch, or a pair of first and last batch; "
            f"got {batches!r}."
        ) from None
    return first, last
