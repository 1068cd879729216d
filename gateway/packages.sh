#!/usr/bin/env bash
# Installs the Debian packages of the named sections of packages.txt that are missing: packages.sh SECTION...
# Without anything missing it neither asks for rights nor touches the network.
set -euo pipefail
list="$(dirname "${BASH_SOURCE[0]}")/packages.txt"

# The packages of section $1.
section() {
  sed -n "/^\[$1\]$/,/^\[/ { /^[^#[]/p }" "$list"
}

is_installed() {
  [[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" == installed ]]
}

missing=()
for name in "$@"; do
  for package in $(section "$name"); do
    is_installed "$package" || missing+=("$package")
  done
done
if ((${#missing[@]} == 0)); then exit 0; fi

as_root=()
if ((EUID != 0)); then as_root=(sudo); fi
echo "installing: ${missing[*]}" >&2
"${as_root[@]}" apt-get update >&2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}" >&2
