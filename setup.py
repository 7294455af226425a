"""Builds the CPU kernels in native/, one library for each set of vector instructions.

The libraries use no Python C API: XLA calls them, and one build serves every Python. Without a
compiler, or without XLA's headers, the package installs without them and still works.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
SOURCES = sorted((ROOT / "native").glob("*.cc"))
IN_PLACE = ROOT / "src" / "slipstream" / "kernels" / "libraries"
HEADERS = sorted((ROOT / "native").glob("*.h"))
FLAGS = [
    *["-std=c++17", "-O3", "-fPIC", "-fvisibility=hidden"],
    *["-fno-math-errno", "-fno-trapping-math", "-Wall", "-Wextra"],
]
VARIANTS = {
    "x86_64": {"avx2": ["-march=x86-64-v3"], "avx512": ["-march=x86-64-v4"]},
    "amd64": {"avx2": ["-march=x86-64-v3"], "avx512": ["-march=x86-64-v4"]},
    "aarch64": {"neon": []},
    "arm64": {"neon": []},
}
# As kernels/native.py has them, which needs what is not installed yet.
NEEDS = {"avx512": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}}


def variants(here_only: bool) -> dict[str, list[str]]:
    """The libraries of this kind of machine, and the flags that set them apart.

    Args:
        here_only: leave out those that this very processor cannot run, where that is known.
    """
    found = VARIANTS.get(platform.machine().lower(), {})
    features = processor_features() if here_only else None
    if features is None:
        return found
    return {name: flags for name, flags in found.items() if NEEDS.get(name, set()) <= features}


def processor_features() -> set[str] | None:
    """What Linux says that the processor has; None elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return None
    named = [line.split(":", 1)[1] for line in lines if line.startswith(("flags", "Features"))]
    return set(named[0].split()) if named else None


def headers() -> str | None:
    """The directory of XLA's headers, which come with jaxlib."""
    try:
        import jaxlib
    except ImportError:
        return None
    path = Path(jaxlib.__file__).parent / "include"
    return str(path) if (path / "xla" / "ffi" / "api" / "ffi.h").exists() else None


class BuildNative(build_ext):
    """Compiles each source once for each variant, unless an in-place build has done so.

    An editable install stays where it is, so it gets only what its processor runs.
    """

    def build_extension(self, ext: Extension) -> None:
        folder, include = self.built, headers()
        if include is None or os.environ.get("SLIPSTREAM_BUILD_NATIVE") == "0":
            print("slipstream: installed without its CPU kernels", file=sys.stderr)
            return
        folder.mkdir(parents=True, exist_ok=True)
        newest = max(path.stat().st_mtime for path in [*SOURCES, *HEADERS, Path(__file__)])
        compiler = os.environ.get("CXX", "c++")
        try:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                for name, flags in variants(here_only=self.editable_mode).items():
                    library, kept = folder / f"{name}.so", IN_PLACE / f"{name}.so"
                    if kept.exists() and kept.stat().st_mtime > newest:
                        shutil.copy2(kept, library)
                        continue
                    objects = Path(self.build_temp) / name
                    build(pool, compiler, [*FLAGS, *flags, "-isystem", include], objects, library)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"slipstream: installed without its CPU kernels: {error}", file=sys.stderr)

    @property
    def built(self) -> Path:
        return Path(self.build_lib) / "slipstream" / "kernels" / "libraries"

    def get_outputs(self) -> list[str]:
        return [str(path) for path in self.built.glob("*.so")]

    def get_output_mapping(self) -> dict[str, str]:
        return {}

    def copy_extensions_to_source(self) -> None:
        IN_PLACE.mkdir(parents=True, exist_ok=True)
        for library in self.built.glob("*.so"):
            partial = IN_PLACE / f"{library.name}.partial"
            shutil.copy2(library, partial)
            os.replace(partial, IN_PLACE / library.name)


def build(
    pool: ThreadPoolExecutor, compiler: str, flags: list[str], folder: Path, library: Path
) -> None:
    """Compile all sources and link them; the library appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    objects = [folder / f"{source.stem}.o" for source in SOURCES]
    commands = [[compiler, *flags, "-c", str(s), "-o", str(o)] for s, o in zip(SOURCES, objects)]
    # Objects of a build directory that was kept are as good as new ones while nothing changed.
    headers_changed = max(path.stat().st_mtime for path in [*HEADERS, Path(__file__)])
    commands = [
        command
        for command, source, made in zip(commands, SOURCES, objects)
        if not made.exists() or made.stat().st_mtime < max(headers_changed, source.stat().st_mtime)
    ]
    list(pool.map(lambda command: subprocess.run(command, check=True), commands))
    partial = library.with_suffix(".partial")
    static = [] if sys.platform == "darwin" else ["-static-libstdc++", "-static-libgcc"]
    subprocess.run(
        [compiler, "-shared", *map(str, objects), "-o", str(partial), *static, "-lpthread"],
        check=True,
    )
    os.replace(partial, library)


class AnyPython(bdist_wheel):
    """A wheel for this platform and every Python: the libraries use none of it."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", sysconfig.get_platform().replace("-", "_").replace(".", "_")


setup(
    ext_modules=[Extension("slipstream.kernels.native", [])],
    cmdclass={"build_ext": BuildNative, "bdist_wheel": AnyPython},
)
