"""LoRA: adapt a layer by training two small matrices beside its frozen weight."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from slipstream.core.layer import Layer
from slipstream.core.variable import Variable
from slipstream.layers.spatial import is_count


class Adaptable(Layer):
    """A layer whose main weight can be frozen and adapted (Hu et al. 2021, "LoRA").

    The weight then acts as ``weight + lora_alpha / lora_rank * A @ B`` with `A` of shape
    ``(*weight.shape[:-1], lora_rank)`` and `B` of shape ``(lora_rank, weight.shape[-1])``. The
    variable lies in the attribute ``_<main>``; ``<main>`` gives the adapted weight.
    """

    _main = "kernel"

    def _keep_lora(self, rank: int | None, alpha: float | None) -> None:
        """Keep the arguments of the constructor."""
        self.lora_rank = rank
        self.lora_alpha = rank if alpha is None else alpha
        self.lora_enabled = False

    def _build_lora(self) -> None:
        """Adapt the new weight if the constructor was told to; the end of `build`."""
        if self.lora_rank:
            self._adapt(self.lora_rank, self.lora_alpha, "he_uniform", "zeros")

    def enable_lora(
        self,
        rank: int,
        lora_alpha: float | None = None,
        a_initializer: Any = "he_uniform",
        b_initializer: Any = "zeros",
    ) -> None:
        """Freeze the main weight and train a product of two small matrices beside it.

        Compile the model again afterwards.

        Args:
            rank: size of the axis that the two matrices share, at least 1.
            lora_alpha: the product is scaled by ``lora_alpha / rank``; `rank` if not given.
            a_initializer, b_initializer: initial values. With zeros in `B` nothing changes at
                first.

        Raises:
            ValueError: if `rank` is no whole number of at least 1, the layer is not built, is
                adapted already or has a constraint on its main weight.
        """
        if not self.built:
            raise ValueError(
                f"Layer {self.name!r} is not built yet, so there is no {self._main} to adapt. "
                "Call the layer first, or pass lora_rank to its constructor."
            )
        self._adapt(rank, rank if lora_alpha is None else lora_alpha, a_initializer, b_initializer)

    def _adapt(self, rank: int, alpha: Any, a_initializer: Any, b_initializer: Any) -> None:
        name = self._main
        if not is_count(rank):
            raise ValueError(
                f"Layer {self.name!r}: the rank of LoRA must be a whole number of at least 1; "
                f"got {rank!r}."
            )
        if self.lora_enabled:
            raise ValueError(f"Layer {self.name!r} is adapted already; that can be done once.")
        if getattr(self, f"{name}_constraint") is not None:
            raise ValueError(
                f"Layer {self.name!r} has a {name}_constraint, which LoRA cannot keep. Remove it."
            )
        weight = getattr(self, f"_{name}")
        shapes = {"a": (*weight.shape[:-1], rank), "b": (rank, weight.shape[-1])}
        for part, initializer in (("a", a_initializer), ("b", b_initializer)):
            variable = self.add_weight(
                shapes[part],
                initializer,
                regularizer=getattr(self, f"{name}_regularizer"),
                name=f"lora_{name}_{part}",
            )
            variable.path = f"{weight.path.rpartition('/')[0]}/{variable.name}"
            setattr(self, variable.name, variable)
        weight.trainable = False
        self.lora_rank, self.lora_alpha, self.lora_enabled = rank, alpha, True

    def _lora(self) -> tuple[Any, Any, float]:
        """The two matrices and the scale of their product."""
        a, b = (getattr(self, f"lora_{self._main}_{part}") for part in "ab")
        return a.value, b.value, self.lora_alpha / self.lora_rank  # type: ignore[operator]

    def _adapted(self) -> Any:
        """The main weight: its variable, or the array of variable and product."""
        weight = getattr(self, f"_{self._main}")
        if not self.lora_enabled:
            return weight
        a, b, scale = self._lora()
        return weight.value + scale * jnp.matmul(a, b)

    def _lora_variables(self) -> list[Variable]:
        return [getattr(self, f"lora_{self._main}_{part}") for part in "ab"]

    def numbered_variables(self) -> list[Variable] | None:
        """What files hold; None once adapted, for then the product is merged into the weight."""
        return None if self.lora_enabled else self.own_variables()

    def _merged_variables(self) -> list[Variable]:
        """The variables as files have them: without the two matrices."""
        left_out = {id(v) for v in self._lora_variables()}
        return [variable for variable in self.own_variables() if id(variable) not in left_out]

    def save_own_variables(self, store: Any) -> None:
        """Put the weights into `store`; the adapted weight is stored as one, as Keras does."""
        if not self.lora_enabled:
            return super().save_own_variables(store)
        main = getattr(self, f"_{self._main}")
        for index, variable in enumerate(self._merged_variables()):
            store[str(index)] = np.asarray(self._adapted() if variable is main else variable)

    def load_own_variables(self, store: Any) -> None:
        """Take the weights from `store`, and start the adaptation anew from zero.

        Raises:
            ValueError: if their number or a shape differs.
        """
        if not self.lora_enabled:
            return super().load_own_variables(store)
        variables = self._merged_variables()
        if len(store) != len(variables):
            raise ValueError(
                f"Layer {self.path!r} has {len(variables)} variables beside those of LoRA, but the "
                f"file holds {len(store)}. Build it as it was when it was saved."
            )
        for index, variable in enumerate(variables):
            variable.assign(np.asarray(store[str(index)]))
        for variable in self._lora_variables():
            variable.assign(np.zeros(variable.shape, variable.dtype))

    def _lora_config(self) -> dict[str, Any]:
        if not self.lora_rank:
            return {}
        return {"lora_rank": self.lora_rank, "lora_alpha": self.lora_alpha}
