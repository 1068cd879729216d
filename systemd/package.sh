#!/usr/bin/env bash
# Builds furrow_VERSION_ARCH.deb: package.sh [ARCH] [--out DIR], with ARCH amd64 (or what this machine is), arm64 or
# armhf, and DIR build/package. Prints the path. On Debian 12 the package is for Debian 12 and later; a package for this
# machine that is made on a later Debian needs that one. The same commit gives the same bytes, in whatever folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

native="$(dpkg --print-architecture)"
arch="$native" out=build/package
while (($# > 0)); do
  case "$1" in
    --out) out="$2"; shift ;;
    amd64 | arm64 | armhf) arch="$1" ;;
    *) echo "usage: systemd/package.sh [amd64|arm64|armhf] [--out DIR]" >&2; exit 2 ;;
  esac
  shift
done
mkdir -p "$out"
out="$(realpath "$out")"

# What the binary is made of, by the names of Debian 12. Linked into it is what few machines have, and what would tie
# the package to one release; the C, the C++ and the TLS library and SQLite are on every machine, or get Debian's
# corrections without a new furrow.
linked=(libhttp-parser-dev libuv1-dev libyaml-cpp-dev)
headers=(libcli11-dev nlohmann-json3-dev robin-map-dev)
readelf=readelf strip=strip objdump=objdump

maintainer="${FURROW_MAINTAINER:-furrow maintainers <maintainers@furrow.invalid>}"
# The time of the commit: of an archive of the sources, that of its files.
commit_time="$(git log -1 --format=%ct 2>/dev/null || stat --format=%Y CMakeLists.txt)"
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$commit_time}"
export TZ=UTC LC_ALL=C.UTF-8
umask 022

build_native() {
  gateway/packages.sh build package
  cmake --preset release -DFURROW_ARCHIVES=ON
  cmake --build --preset release --parallel "$(nproc)" --target "$@"
}

build_for() {
  local sysroot="$1"
  cmake -G Ninja -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_TOOLCHAIN_FILE="$PWD/systemd/cross.cmake" \
    -DFURROW_ARCH="$arch" -DFURROW_SYSROOT="$sysroot" -DFURROW_ARCHIVES=ON -DFURROW_TESTS=OFF \
    -DFURROW_DOCUMENTS="$PWD/build/release/documents"
  cmake --build "$build" --parallel "$(nproc)" --target furrow
}

# A line "NAME VERSION" for each of the given packages.
versions_of() {
  if [[ "$arch" == "$native" ]]; then
    dpkg-query --show --showformat='${Package} ${Version}\n' "$@"
  else
    grep -E "^($(IFS='|'; echo "$*")) " "$build_sysroot/versions"
  fi
}

if [[ "$arch" == "$native" ]]; then
  build=build/release
  build_native furrow furrow_documents >&2
  compiler="$(sed -nE 's/^CMAKE_CXX_COMPILER:[A-Z]+=//p' "$build/CMakeCache.txt")"
else
  build="build/package-$arch"
  build_native furrow_documents >&2
  gateway/packages.sh "package-$arch"
  build_sysroot="$(systemd/sysroot.sh "$arch" sysroot)"
  build_for "$build_sysroot" >&2
  case "$arch" in arm64) prefix=aarch64-linux-gnu- ;; armhf) prefix=arm-linux-gnueabihf- ;; esac
  compiler="${prefix}g++" readelf="${prefix}readelf" strip="${prefix}strip" objdump="${prefix}objdump"
fi

version="$(sed -nE 's/^project\(furrow VERSION ([0-9.]+).*/\1/p' CMakeLists.txt)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
root="$work/root"
mkdir "$root"
DESTDIR="$root" cmake --install "$build" --component package >/dev/null
# strip alone keeps the mode; the build id is of the code, and stays.
"$strip" --strip-unneeded --remove-section=.comment "$root/usr/bin/furrow"

# The newest version of symbols that the binary takes from a library: newest PREFIX
newest() {
  "$objdump" -T "$root/usr/bin/furrow" | grep -oE "\b$1[0-9.]+" | sed "s/^$1//" | sort -V | tail -n 1
}

depends=()
while read -r library; do
  case "$library" in
    libc.so.6 | libm.so.6) package="libc6 (>= $(newest GLIBC_))" ;;
    ld-linux*) continue ;;
    libgcc_s.so.1) package="libgcc-s1" ;;
    libstdc++.so.6) package="libstdc++6 (>= $("$compiler" -dumpversion))" ;;
    libsqlite3.so.0) package="libsqlite3-0 (>= 3.40)" ;;
    # Debian 13 has it under another name, since its time_t is wider on armhf; see gateway/net/openssl_time.h.
    libssl.so.3 | libcrypto.so.3) package="libssl3 (>= $(newest OPENSSL_)) | libssl3t64" ;;
    *) echo "package.sh: nothing is known about $library" >&2; exit 1 ;;
  esac
  depends+=("$package")
done < <("$readelf" --dynamic "$root/usr/bin/furrow" | sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p')
depends_text="$(printf '%s\n' "${depends[@]}" | sort -u | paste -sd, | sed 's/,/, /g')"

doc="$root/usr/share/doc/furrow"
cat >"$doc/changelog" <<END
furrow ($version) unstable; urgency=medium

  * Built from the sources of this version: README.md has what is new.

 -- $maintainer  $(date --utc --date="@$SOURCE_DATE_EPOCH" --rfc-email)
END

# The copyright of furrow, and of what is linked into it or compiled from headers.
{
  cat systemd/debian/copyright
  for package in "${linked[@]}" "${headers[@]}"; do
    printf '\n\n%s\n%s:\n\n' "$(printf '=%.0s' {1..80})" "${package%-dev}"
    cat "${build_sysroot:-}/usr/share/doc/$package/copyright"
  done
} >"$doc/copyright"

{ versions_of "${linked[@]}" | sed 's/^/linked /'; versions_of "${headers[@]}" | sed 's/^/headers /'; } |
  python3 systemd/sbom.py --version "$version" --arch "$arch" --epoch "$SOURCE_DATE_EPOCH" --depends "$depends_text" \
    --binary "$root/usr/bin/furrow" >"$doc/furrow.spdx.json"

find "$root/usr/share/man" "$doc/changelog" -type f -exec gzip -9n {} +
mkdir -m 755 "$root/DEBIAN"
install -m 755 systemd/debian/postinst systemd/debian/prerm systemd/debian/postrm "$root/DEBIAN"
echo /etc/furrow/furrow.yaml >"$root/DEBIAN/conffiles"
size="$(du --summarize --apparent-size --block-size=1K --exclude=DEBIAN "$root" | cut -f1)"
control="$(cat systemd/debian/control.in)"
for field in VERSION="$version" ARCH="$arch" SIZE="$size" DEPENDS="$depends_text" MAINTAINER="$maintainer"; do
  control="${control//@${field%%=*}@/"${field#*=}"}"
done
echo "$control" >"$root/DEBIAN/control"
(cd "$root" && find etc usr -type f ! -path etc/furrow/furrow.yaml -print0 | sort -z | xargs -0 md5sum) \
  >"$root/DEBIAN/md5sums"
find "$root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

deb="$out/furrow_${version}_$arch.deb"
dpkg-deb --root-owner-group --threads-max=1 -Zxz --build "$root" "$deb" >&2
echo "$deb"
