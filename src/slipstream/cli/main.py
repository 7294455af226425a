"""The command ``slipstream``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from slipstream.cli.options import Options
from slipstream.cli.problem import Problem

app = typer.Typer(
    help="Deep learning with the shape of Keras: train on data of yours, see what came of it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_USUAL = Options()
_DATA, _NET, _RUN = "Data", "Network and training", "Run"


def _version(wanted: bool) -> None:
    if wanted:
        from slipstream import __version__

        typer.echo(f"slipstream {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
def train(
    data: Annotated[
        str | None,
        typer.Option(
            help="Name of a dataset (see 'slipstream datasets') or a .npz, .csv, .csv.gz or "
            ".parquet file; handwritten digits if not given.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Column of a table to predict.", rich_help_panel=_DATA)
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(help="Column to leave out; may be repeated.", rich_help_panel=_DATA),
    ] = None,
    task: Annotated[
        str,
        typer.Option(help="auto, classification or regression.", rich_help_panel=_DATA),
    ] = _USUAL.task,
    validation: Annotated[
        float, typer.Option(help="Share of the rows that says when to stop.", rich_help_panel=_DATA)
    ] = _USUAL.validation,
    test: Annotated[
        float, typer.Option(help="Share of the rows kept for the test.", rich_help_panel=_DATA)
    ] = _USUAL.test,
    hidden: Annotated[
        str, typer.Option(help="Units of the hidden layers.", rich_help_panel=_NET)
    ] = _USUAL.hidden,
    dropout: Annotated[
        float, typer.Option(help="Share dropped while training.", rich_help_panel=_NET)
    ] = _USUAL.dropout,
    optimizer: Annotated[
        str, typer.Option(help="Name of the optimizer.", rich_help_panel=_NET)
    ] = _USUAL.optimizer,
    learning_rate: Annotated[
        float | None, typer.Option(help="The optimizer's own if not given.", rich_help_panel=_NET)
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(help="Rows a step; 32, or 128 for many rows.", rich_help_panel=_NET),
    ] = None,
    epochs: Annotated[
        int, typer.Option(help="Passes over the data at most.", rich_help_panel=_NET)
    ] = _USUAL.epochs,
    patience: Annotated[
        int,
        typer.Option(help="Epochs without improvement before it stops.", rich_help_panel=_NET),
    ] = _USUAL.patience,
    seed: Annotated[
        int, typer.Option(help="Equal seeds give equal results.", rich_help_panel=_RUN)
    ] = _USUAL.seed,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the results; runs/DATE_TIME if not given.",
                     rich_help_panel=_RUN),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a model in --out.", rich_help_panel=_RUN)
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the result only.", rich_help_panel=_RUN)
    ] = False,
) -> None:  # fmt: skip
    """Train a network on images or a table; save it with a report."""
    from slipstream.cli.train import train as run

    code = run(
        Options(
            data=data, target=target, drop=drop or [], task=task, epochs=epochs,
            batch_size=batch_size, learning_rate=learning_rate, optimizer=optimizer,
            hidden=hidden, dropout=dropout, validation=validation, test=test, patience=patience,
            seed=seed, out=out, overwrite=overwrite, quiet=quiet,
        )
    )  # fmt: skip
    raise typer.Exit(code)


@app.command()
def datasets() -> None:
    """List the datasets that --data knows by name."""
    from slipstream.cli.screen import Screen
    from slipstream.datasets import entries

    screen = Screen()
    for entry in entries():
        found = entry.find() is not None
        screen.line(
            ("● " if found else "○ ", "green" if found else "dim"),
            (f"{entry.name:<14} ", "bold"),
            entry.title,
            ("" if found else f"  get it with: {entry.remedy}", "yellow"),
        )


@app.command()
def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what was found on this machine, what is missing, and whether training works."""
    from slipstream.cli.doctor import doctor as run

    raise typer.Exit(run(json))


@app.command()
def race(
    target: Annotated[Path, typer.Argument(help="A script that calls fit, or a .keras file.")],
    epochs: Annotated[
        int | None, typer.Option(help="Epochs a fit; the script's own if not given.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Rows a step, for a .keras file; 32 if not given.")
    ] = None,
    rows: Annotated[int, typer.Option(help="Rows of made-up data for a .keras file.")] = 2048,
    rounds: Annotated[int, typer.Option(help="Fits that are timed after the first.")] = 3,
    backend: Annotated[str, typer.Option(help="Keras' backend.")] = "jax",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run a Keras script or model in Keras and here: do they agree, and how fast is each?"""
    from slipstream.cli.race import race as run

    raise typer.Exit(run(target, epochs, batch_size, rows, rounds, backend, json))


@app.command()
def speed(
    model: Annotated[Path, typer.Argument(help="A .keras file.")],
    batch_size: Annotated[int, typer.Option(help="Rows of a batch.")] = 32,
    picture: Annotated[
        Path | None, typer.Option(help="An .svg file for the layers under the roofline.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show how close each layer of a model comes to this machine's limit."""
    from slipstream.cli.speed import speed as run

    raise typer.Exit(run(model, batch_size, picture, json))


def main() -> None:
    """Run the command; problems of the user's to solve end in one line and exit code 2."""
    try:
        app()
    except Problem as problem:
        print(f"slipstream: {problem}", file=sys.stderr)
        sys.exit(problem.code)
    except KeyboardInterrupt:
        print("slipstream: interrupted.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
