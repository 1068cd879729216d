#!/usr/bin/env bash
# Unpacks libraries of Debian 12 for another architecture: sysroot.sh ARCH SECTION... puts the packages of these
# sections of packages.txt into build/sysroot/ARCH, and prints its path. -dev packages of several architectures cannot
# be installed beside each other, and unpacking takes no rights; apt has folders of its own here, so that this machine's
# lists stay as they are. What is there stays: remove the folder to have newer packages. Debian's mirror is
# $FURROW_MIRROR, if that is set; its security updates are beside it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
arch="$1"
sections=("${@:2}")
root="$PWD/build/sysroot/$arch"
release=bookworm
mirror="${FURROW_MIRROR:-http://deb.debian.org/debian}"

mapfile -t packages < <(for one in "${sections[@]}"; do
  sed -n "/^\[$one\]$/,/^\[/ { /^[^#[]/p }" gateway/packages.txt
done)

# Whether all packages are there already, and perhaps others.
is_filled() {
  [[ -f "$root/versions" ]] && ! printf '%s\n' "${packages[@]}" | grep -qvxFf <(cut -d' ' -f1 "$root/versions")
}

if ! is_filled; then
  rm -rf "$root"
  mkdir -p "$root/apt/lists/partial" "$root/apt/archives/partial" "$root/debs"
  for suite in "$mirror $release" "$mirror $release-updates" "$mirror-security $release-security"; do
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $suite main"
  done >"$root/apt/sources.list"
  cat >"$root/apt/apt.conf" <<END
APT { Architecture "$arch"; Architectures { "$arch"; }; Sandbox::User "root"; };
Dir {
  Cache "$root/apt";
  State { Lists "$root/apt/lists"; Status "/dev/null"; };
  Etc {
    SourceList "$root/apt/sources.list"; SourceParts "/dev/null"; Preferences "/dev/null"; PreferencesParts "/dev/null";
  };
};
END
  export APT_CONFIG="$root/apt/apt.conf"
  # A mirror that is between two states has one list too few, not packages that are not signed.
  apt-get -qq update >&2 || echo "sysroot.sh: going on without the lists that are named above" >&2
  (cd "$root/debs" && apt-get -qq download "${packages[@]}" >&2)
  for deb in "$root"/debs/*.deb; do
    dpkg-deb --extract "$deb" "$root"
    dpkg-deb --show --showformat='${Package} ${Version}\n' "$deb"
  done >"$root/apt/versions"
  mv "$root/apt/versions" "$root/versions"
  rm -rf "$root/apt" "$root/debs"
fi
echo "$root"
