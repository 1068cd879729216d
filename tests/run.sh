#!/usr/bin/env bash
# Everything that CI checks: installs the packages that are missing, builds, and runs the tests of preset `dev` (ASan,
# UBSan) once, with the release binary, as its package has it, for the integration tests, and a simulator of the same
# build for its many seeds. --full adds a longer simulation, more crashes of the real binary, preset `tsan`, each file
# compiled by itself, the package built once more elsewhere (tests/package/same_bytes.sh), and as root the package
# (tests/package/fresh.sh) and both commands of the README (tests/fresh.sh) on bare Debians.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

full=false
case "${1:-}" in
  "") ;;
  --full) full=true ;;
  *) echo "usage: tests/run.sh [--full]" >&2; exit 2 ;;
esac
jobs="$(nproc)"

# build PRESET "TARGET..." [configure option...]
build() {
  local preset="$1" targets
  read -ra targets <<<"$2"
  cmake --preset "$preset" "${@:3}"
  cmake --build --preset "$preset" --parallel "$jobs" --target "${targets[@]}"
}

# Each skipped test with its reason, from CTest's log $1.
skipped() {
  sed -nE -e "s/^(.*) \.\.\. skipped '?(.*[^'])'?$/  \1: \2/p" \
    -e '/^\[ RUN +\] /{s///;h}' -e '/: Skipped$/{n;G;s/^(.*)\n(.*)$/  \2: \1/p}' "$1"
}

# Runs the tests of preset $1 and shows what was skipped, then CTest's summary. Twice as many at a time as there are
# processors: most of the long ones wait.
run() {
  local folder="build/$1" status=0 summary='% tests passed, '
  ctest --preset "$1" --parallel "$((2 * jobs))" | tee "$folder/ctest.log" | sed -u "/$summary/,\$d" || status=$?
  echo "Skipped, and why:"
  skipped "$folder/Testing/Temporary/LastTest.log" | grep . || echo "  nothing"
  sed -n "/$summary/,\$p" "$folder/ctest.log"
  return "$status"
}

gateway/packages.sh build test package
status=0
package="$(systemd/package.sh)"
build release sim -DFURROW_TESTS=ON
sim="$PWD/build/release/tests/sim/sim"
build dev all -DFURROW_TEST_BINARY="$PWD/build/release/furrow" -DFURROW_TEST_SIM="$sim" -DFURROW_TEST_FULL="$full" \
  -DFURROW_TEST_PACKAGE="$package"
run dev || status=$?
if "$full"; then
  tests/package/same_bytes.sh "$package" || status=$?
  build tsan all -DFURROW_TEST_SIM="$sim"
  run tsan || status=$?
  cmake --preset release -B build/alone -DCMAKE_UNITY_BUILD=OFF
  cmake --build build/alone --parallel "$jobs" --target furrow
  if ((EUID == 0)); then
    tests/package/fresh.sh "$package" || status=$?
    tests/fresh.sh || status=$?
  fi
fi
exit "$status"
