#!/usr/bin/env bash
# Whether a package is the same wherever it is built: same_bytes.sh PACKAGE.deb builds the committed sources again, in a
# folder with another path and without a cache of the compiler, and compares. PACKAGE has to be of the same commit.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
package="$(realpath "$1")"
arch="$(dpkg-deb --field "$package" Architecture)"

folder="$(mktemp -d -p "${TMPDIR:-/var/tmp}" furrow-same-bytes-XXXXXX)"
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/sources"
git archive HEAD | tar -x -C "$folder/sources"
again="$(env -u CMAKE_CXX_COMPILER_LAUNCHER "$folder/sources/systemd/package.sh" "$arch")"
if ! cmp "$package" "$again"; then
  mkdir "$folder/one" "$folder/two"
  dpkg-deb --raw-extract "$package" "$folder/one"
  dpkg-deb --raw-extract "$again" "$folder/two"
  diff -r "$folder/one" "$folder/two" >&2 || true
  echo "same_bytes.sh: built again it differs; the commit, or the packages that it is built with, may be others" >&2
  exit 1
fi
sha256sum "$package" "$again"
