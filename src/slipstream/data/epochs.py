"""How passes over data are cut into epochs.

An epoch ends where its pass does, with fewer batches than asked for if need be. The next one of a
training goes on where it ended within the pass, or begins a new pass. So it is in Keras.
"""

from __future__ import annotations

import warnings
from math import ceil

from slipstream.data.dataset import Place


def begin(seed: int, step: int, whole: int | None) -> Place:
    """Where a run begins: with a pass whose number, and so its order, has not been before.

    Args:
        seed: the run's seed.
        step: training steps that the model has taken before.
        whole: batches of a pass; None if not known.
    """
    return Place(seed, ceil(step / whole) if whole else step)


def end(place: Place, steps: int | None, whole: int | None) -> int | None:
    """Batches of the pass at the end of the epoch that begins at `place`; None if not known.

    Args:
        place: begin of the epoch.
        steps: batches of an epoch; None for all of a pass.
        whole: batches of a pass; None if not known.
    """
    wanted = None if steps is None else place.skip + steps
    return min((each for each in (wanted, whole) if each is not None), default=None)


def after(place: Place, steps: int | None, whole: int | None) -> Place:
    """Where the epoch after the one that begins at `place` begins; arguments as of `end`."""
    stop = end(place, steps, whole)
    if stop is None or stop == whole:
        return Place(place.seed, place.number + 1)
    return place._replace(skip=stop)


def limited(steps: int | None, whole: int | None) -> int | None:
    """`steps`, or with a warning no more than a pass has."""
    if steps is None or whole is None or steps <= whole:
        return steps
    tell(whole, steps)
    return whole


def tell(found: int, steps: int) -> None:
    """Warn of an epoch that had `found` batches of the `steps` that it should have."""
    warnings.warn(
        f"The data ended after {found} of an epoch's {steps} batches, and the epoch with them. "
        "Leave the number of steps out for epochs of all batches, or pass data that go on: "
        ".repeat() of a dataset, or a generator.",
        stacklevel=2,
    )
