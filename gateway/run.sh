#!/usr/bin/env bash
# From a fresh checkout to a running demonstration: installs the build packages that are missing, builds Release into
# build/release/ and runs `furrow demo` with the arguments given here. What is built is not built again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

gateway/packages.sh build
cmake --preset release >&2
cmake --build --preset release --parallel "$(nproc)" >&2
exec build/release/furrow demo "$@"
