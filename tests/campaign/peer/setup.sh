#!/usr/bin/env bash
# Fetches llama.cpp v0.5.0 from npm (prebuilt CPU libraries, and its source for the headers) into
# build/peer and builds the peer program of the campaigns. Prints the folder of the libraries.
# Nothing of it is linked into Tulou. Does nothing when everything is there.
set -euo pipefail
cd "$(dirname "$0")/../../.."
version=3.22.1
peer=$PWD/build/peer
libraries=$peer/linux-x64/package/bins/linux-x64
headers=$peer/llama.cpp
mkdir -p "$peer"
fetch() {
  local package=$1 folder=$2 archive
  [ ! -d "$peer/$folder/package" ] || return 0
  echo "peer: fetching $package@$version from npm" >&2
  archive=$(cd "$peer" && npm pack --silent "$package@$version" 2>/dev/null)
  mkdir -p "$peer/$folder"
  tar xzf "$peer/$archive" -C "$peer/$folder"
}
fetch @node-llama-cpp/linux-x64 linux-x64
fetch node-llama-cpp node-llama-cpp
if [ ! -d "$headers/include" ]; then
  rm -rf "$headers"
  git -c advice.detachedHead=false clone -q \
    "$peer/node-llama-cpp/package/llama/gitRelease.bundle" "$headers" >&2
fi
llama=$(find "$libraries" -name 'libllama.v*.so')
suffix=${llama##*/libllama.}
if [ ! "$peer/peer" -nt tests/campaign/peer/peer.cpp ]; then
  echo "peer: building the peer program" >&2
  g++-12 -O2 -std=c++17 -Wall -Wextra tests/campaign/peer/peer.cpp -o "$peer/peer" \
    -I"$headers/include" -I"$headers/ggml/include" \
    "$llama" "$libraries/libggml.$suffix" "$libraries/libggml-base.so" -Wl,-rpath,"$libraries"
fi
echo "$libraries"
