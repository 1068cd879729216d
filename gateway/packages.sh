#!/usr/bin/env bash
# Installs the Debian packages of the named sections of packages.txt that are missing: packages.sh SECTION...
# Without anything missing it neither asks for rights nor touches the network.
set -euo pipefail
list="$(dirname "${BASH_SOURCE[0]}")/packages.txt"

# The lines of section $1: a package, and perhaps a program.
section() {
  sed -n "/^\[$1\]$/,/^\[/ { /^[^#[]/p }" "$list"
}

# Whether package $1 is installed, or program $2, if one is named, is there.
is_there() {
  [[ -n "${2:-}" ]] && command -v "$2" >/dev/null && return
  [[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" == installed ]]
}

missing=()
for name in "$@"; do
  while read -r package program; do
    is_there "$package" "$program" || missing+=("$package")
  done < <(section "$name")
done
if ((${#missing[@]} == 0)); then exit 0; fi

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "missing, and there is no sudo; as root: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "installing: ${missing[*]}" >&2
"${as_root[@]}" apt-get update >&2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}" >&2
