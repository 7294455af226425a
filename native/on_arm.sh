#!/usr/bin/env bash
# Builds the kernels for ARM and runs their tests there, emulated: native/on_arm.sh [PYTEST'S ARGUMENTS]
#
# For root on Debian 12: a compiler for ARM and QEMU are installed, all else goes to build/arm. One
# file of tests takes some minutes, all of them more than an hour.
set -euo pipefail
cd "$(dirname "$0")/.."
home=$PWD/build/arm
mkdir -p "$home"/{packages,source}

dpkg --add-architecture arm64
apt-get update -q
apt-get install -q -y qemu-user-static g++-aarch64-linux-gnu
python=(python3.11 python3.11-minimal libpython3.11-minimal libpython3.11-stdlib)
shared=(libc6 libgcc-s1 libstdc++6 zlib1g libffi8 libssl3 libbz2-1.0 liblzma5 libsqlite3-0 libexpat1 libuuid1 libcrypt1)
(cd "$home/packages" && apt-get download -q $(printf '%s:arm64 ' "${python[@]}" "${shared[@]}"))
for package in "$home"/packages/*.deb; do dpkg -x "$package" "$home/root"; done

needed=$(python3 -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"])')
platforms=$(printf -- '--platform manylinux_2_%s_aarch64 ' 17 27 28)
python3 -m pip install --upgrade --target "$home/site" --python-version 3.11 --only-binary=:all: $platforms $needed setuptools pytest hypothesis

cp -r src/slipstream "$home/source"
rm -f "$home"/source/slipstream/kernels/libraries/*.so
CXX=aarch64-linux-gnu-g++ PYTHONPATH="$home/site" python3 -c '
import platform, runpy, sys
platform.machine = lambda: "aarch64"
sys.argv = ["setup.py", "build_ext", "--build-lib", sys.argv[1] + "/source", "--build-temp", sys.argv[1] + "/objects"]
runpy.run_path("setup.py", run_name="__main__")' "$home"

tests=("$@")
if [ $# = 0 ]; then  # but for those that start processes of their own
  mapfile -t tests < <(ls tests/kernels/test_native_*.py | grep -v test_native_memory)
fi
qemu-aarch64-static -L "$home/root" -E PYTHONPATH="$home/source:$home/site" -E SLIPSTREAM_KERNELS=neon \
  "$home/root/usr/bin/python3.11" -m pytest -p no:cacheprovider "${tests[@]}"
