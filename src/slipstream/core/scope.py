"""The scope of one call: which values the variables have, which mode, which random key.

A program is traced inside a `Scope`. It maps variables to the traced values that stand for
them and collects what the call produces beside its outputs. The current scope is a context
variable, so it is private to a thread and to a trace.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slipstream.core.variable import Variable

_current: ContextVar[Scope | None] = ContextVar("slipstream_scope", default=None)

# Names of the layers being called or built now, outermost first: a variable's path.
names_in_force: ContextVar[tuple[str, ...]] = ContextVar("slipstream_path", default=())


class Scope:
    """Everything that one traced call reads and writes apart from its arguments.

    Args:
        variables: the variables bound for the length of the call.
        values: their values, in the same order.
        training: the mode for layers that are not told one.
        key: random key of this step, or None where nothing may be drawn from the run's key.
        ordinals: place of each layer (by `id`) in its model, folded into the key.
        row_mask: ``(batch,)`` bool, False for the rows that only fill up a partial batch;
            None when every row is real.
        dry: True where only shapes are wanted: whatever is assigned is forgotten at the end.
    """

    def __init__(
        self,
        variables: Sequence[Variable] = (),
        values: Sequence[Any] = (),
        *,
        training: bool | None = None,
        key: Any = None,
        ordinals: dict[int, int] | None = None,
        row_mask: Any = None,
        dry: bool = False,
    ) -> None:
        self.values: dict[int, Any] = {id(v): value for v, value in zip(variables, values)}
        self.training = training
        self.key = key
        self.ordinals = ordinals or {}
        self.draws: dict[int, int] = {}
        self.places: tuple[Any, ...] = ()  # in the loops around a draw; see `random.at_step`
        self.row_mask = row_mask
        self.dry = dry
        self.losses: list[Any] = []
        self.regularized = False  # whether the losses hold the penalties on weights already
        self.parts: list[Any] = []  # each output's own loss, as the last `compute_loss` found it
        self.autocast: str | None = None

    def read(self, variables: Sequence[Variable]) -> list[Any]:
        """The values that `variables` have now, in order: the ones written, else the ones bound."""
        return [self.values[id(v)] for v in variables]

    @contextmanager
    def active(self) -> Iterator[Scope]:
        """Make this the current scope."""
        token = _current.set(self)
        try:
            yield self
        finally:
            _current.reset(token)


def current_scope() -> Scope | None:
    """The scope in force in this thread, or None outside of any."""
    return _current.get()


# Side notes on arrays (masks, the logits behind a probability). Tracers take no attributes, so
# the notes lie beside them and vanish with them.
_notes: dict[tuple[int, str], tuple[Any, Any]] = {}


def _forget(notes: dict, slot: tuple[int, str], _: Any) -> None:
    notes.pop(slot, None)


def attach(array: Any, name: str, value: Any) -> None:
    """Remember `value` about `array` under `name` for as long as the array lives."""
    slot = (id(array), name)
    try:
        reference = weakref.ref(array, partial(_forget, _notes, slot))
    except TypeError:  # NumPy scalars and the like cannot be followed
        return
    _notes[slot] = (reference, value)


def attached(array: Any, name: str) -> Any:
    """What `attach` remembered about this very array under `name`, or None."""
    found = _notes.get((id(array), name))
    return found[1] if found is not None and found[0]() is array else None


def notes_on(array: Any) -> dict[str, Any]:
    """Everything that `attach` remembered about this very array."""
    names = [name for place, name in list(_notes) if place == id(array)]
    return {name: attached(array, name) for name in names if attached(array, name) is not None}
