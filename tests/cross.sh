#!/usr/bin/env bash
# The tests on another architecture, run by qemu-user: tests/cross.sh arm64|armhf [--seeds N]. Builds with the
# libraries of Debian 12 that the packages are built with, and runs the unit and conformance tests, N seeds of the
# simulator (1,000) and the demonstration. Takes an hour on two cores; armhf has 32 bits, and times of 64.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case "${1:-}" in
  arm64) triplet=aarch64-linux-gnu qemu=qemu-aarch64-static ;;
  armhf) triplet=arm-linux-gnueabihf qemu=qemu-arm-static ;;
  *) echo "usage: tests/cross.sh arm64|armhf [--seeds N]" >&2; exit 2 ;;
esac
arch="$1" seeds=1000
if [[ "${2:-}" == --seeds ]]; then seeds="$3"; fi

gateway/packages.sh build test-cross "package-$arch"
sysroot="$(systemd/sysroot.sh "$arch" sysroot sysroot-test)"
build="build/package-$arch"
cmake -G Ninja -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_TOOLCHAIN_FILE="$PWD/systemd/cross.cmake" \
  -DFURROW_ARCH="$arch" -DFURROW_SYSROOT="$sysroot" -DFURROW_ARCHIVES=ON -DFURROW_TESTS=ON
programs=(unit/unit_broker_core unit/unit_bridge unit/unit_config unit/unit_gateway conformance/conformance)
cmake --build "$build" --parallel "$(nproc)" --target furrow sim "${programs[@]##*/}"

# The C library is that of the cross compiler, the others are those of the sysroot.
export QEMU_LD_PREFIX="/usr/$triplet"
export QEMU_SET_ENV="LD_LIBRARY_PATH=$sysroot/usr/lib/$triplet:/usr/$triplet/lib"
status=0
for program in "${programs[@]}"; do
  "$qemu" "$build/tests/$program" --gtest_brief=1 || status=$?
done
"$qemu" "$build/tests/sim/sim" 1 --seeds "$seeds" || status=$?
"$qemu" "$build/furrow" demo --outage 3 --for 10 || status=$?
exit "$status"
