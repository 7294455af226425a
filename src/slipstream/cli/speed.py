"""``slipstream speed``: how close a model comes to this machine's limit."""

from __future__ import annotations

from pathlib import Path

from slipstream.cli.problem import Problem
from slipstream.cli.racer import made_up_data


def speed(path: Path, batch_size: int, picture: Path | None, as_json: bool) -> int:
    """Measure a model on made-up data; 0 if that worked.

    Raises:
        Problem: if there is no such model, or its inputs' shapes are not known.
    """
    if not path.exists():
        raise Problem(f"there is no file {str(path)!r}; give a .keras file.")
    if batch_size < 1:
        raise Problem(f"--batch-size must be at least 1; got {batch_size}.")
    from slipstream.models import load_model

    try:
        model = load_model(path)
    except (OSError, ValueError) as error:
        raise Problem(f"{path} cannot be read: {error}") from error
    if not getattr(model, "inputs", None):
        raise Problem(
            f"{path.name} does not say the shapes of its inputs. Load it in Python and call "
            "model.speed(x, y) on data of yours."
        )
    x, y = made_up_data(model, batch_size)
    found = model.speed(x, y if model.compiled else None, batch_size)
    if as_json:
        print(found.to_json(indent=2))
    else:
        print(found)
    if picture is not None:
        try:
            found.picture(picture)
        except (OSError, ValueError) as error:
            raise Problem(f"the picture cannot be written: {error}", code=1) from error
    return 0
