"""What files hold of a model: the parts, their places and their types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from slipstream.core.layer import Layer
from slipstream.core.layer_tracking import held
from slipstream.core.names import snake_case


class Part(NamedTuple):
    """A layer, or the optimizer, and where its state lies in a file.

    Attributes:
        path: group of the file, without ``/vars``.
        owner: the layer or optimizer.
        variables: what is stored under ``0``, ``1`` …; None where the owner stores by itself.
    """

    path: str
    owner: Any
    variables: list[Any] | None


def parts(model: Any) -> Iterator[Part]:
    """Every layer once, and then the optimizer if it is built."""
    seen: set[int] = set()

    def visit(item: Layer, path: str) -> Iterator[Part]:
        if id(item) in seen:
            return
        seen.add(id(item))
        yield Part(path, item, item.numbered_variables())
        counts: dict[str, int] = {}
        containers = _containers(item)
        for holder, inner in held_layers(item):
            place = f"{path}/{holder}".lstrip("/")
            if holder in containers:
                # A layer in an attribute goes by the attribute's name, one in a list by its class.
                base = f"{place}/{snake_case(type(inner).__name__)}"
                number = counts.get(base, 0)
                counts[base] = number + 1
                place = f"{base}_{number}" if number else base
            yield from visit(inner, place)

    yield from visit(model, "")
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and optimizer.built:
        yield Part("optimizer", optimizer, optimizer.variables)


def held_layers(layer: Any) -> list[tuple[str, Layer]]:
    """The layers held directly, with the name of the attribute that holds each."""
    if hasattr(layer, "_stack"):
        return [("layers", inner) for inner in layer.layers]
    return [
        (name, child)
        for name, value in layer.attributes()
        for child in held(value)
        if isinstance(child, Layer)
    ]


def _containers(layer: Layer) -> set[str]:
    names = {
        name for name, value in vars(layer).items() if isinstance(value, (list, tuple, dict, set))
    }
    return names | ({"layers"} if hasattr(layer, "_stack") else set())


def storage(dtype: str) -> str:
    """Type on disk: bfloat16 is stored as the bits of its float32 value, as Keras does."""
    return "float32" if dtype == "bfloat16" else dtype


def refuse(model: Any, shown: str, problems: list[str]) -> None:
    """Raise a ValueError that names the first few problems, if there are any."""
    if not problems:
        return
    more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
    raise ValueError(
        f"The weights in {shown!r} do not fit model {model.name!r}: "
        + "; ".join(problems[:3])
        + more
        + ". Load them into the architecture they were saved from, or pass skip_mismatch=True."
    )
