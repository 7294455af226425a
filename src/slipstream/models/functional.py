"""`Functional`: the model between symbolic inputs and outputs."""

from __future__ import annotations

from typing import Any

from slipstream.core.registry import register
from slipstream.models.model import Model


@register("model", module="keras.src.models.functional")
class Functional(Model):
    """The model between symbolic inputs and the outputs made of them; ``Model(inputs, outputs)``.

    Args:
        inputs: symbolic tensors from `Input` (or from within another model), alone or in a list,
            tuple or dictionary.
        outputs: symbolic tensors that follow from them, in any such structure.
        name: automatic if not given.
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(inputs=inputs, outputs=outputs, name=name, **kwargs)
