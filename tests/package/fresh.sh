#!/usr/bin/env bash
# The life of a package (life.sh) on bare Debians: fresh.sh PACKAGE.deb [RELEASE...], with bookworm and trixie unless
# others are named. Each root gets what apt installs for the package and a Mosquitto, nothing else, and lives under
# systemd; then once more without, as in a container. For arm64 and armhf the roots are of that architecture, run by
# qemu-user, which cannot be systemd. Needs root, debootstrap and a mirror, $FURROW_MIRROR if that is set.
set -euo pipefail
here="$(dirname "$(realpath "${BASH_SOURCE[0]}")")"
package="$(realpath "$1")"
shift
releases=("$@")
if ((${#releases[@]} == 0)); then releases=(bookworm trixie); fi
mirror="${FURROW_MIRROR:-http://deb.debian.org/debian}"
arch="$(dpkg-deb --field "$package" Architecture)"
if ((EUID != 0)); then echo "fresh.sh: only root can make a root file system" >&2; exit 2; fi
"$here/../../gateway/packages.sh" test-fresh
if [[ "$arch" == "$(dpkg --print-architecture)" ]]; then ways=(systemd container); else ways=(container); fi

folder="$(mktemp -d -p "${TMPDIR:-/var/tmp}" furrow-package-XXXXXX)"
trap 'rm -rf --one-file-system "$folder"' EXIT

# in_container ROOT COMMAND...: with processes, mounts and a network of its own, and nothing that looks like systemd.
in_container() {
  unshare --mount --pid --net --fork --kill-child bash -euc '
    root="$1"
    shift
    mount --make-rprivate /
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    ip link set lo up
    exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb "$@"' \
    container "$@"
}

# The same with the network of this machine, for apt.
in_root() {
  chroot "$1" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive ${http_proxy:+http_proxy="$http_proxy"} "${@:2}"
}

make_root() {
  local root="$1" release="$2" way="$3" more=()
  debootstrap --variant=minbase --arch="$arch" "$release" "$root" "$mirror"
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"  # no Mosquitto of Debian's own at port 1883
  chmod 755 "$root/usr/sbin/policy-rc.d"
  if [[ "$way" == systemd ]]; then more=(systemd); fi
  in_root "$root" apt-get install --yes --no-install-recommends mosquitto mosquitto-clients "${more[@]}"
  mkdir "$root/furrow-test"
  cp "$package" "$root/furrow-test/new.deb"
  cp "$here/life.sh" "$root/furrow-test"
  dpkg-deb --raw-extract "$package" "$folder/old"
  sed -i 's/^Version: .*/Version: 0.0.1/' "$folder/old/DEBIAN/control"
  dpkg-deb --root-owner-group -Znone --build "$folder/old" "$root/furrow-test/old.deb"
  rm -r "$folder/old"
  # What the package depends on comes by apt, as for a user; its life begins without it.
  in_root "$root" apt-get install --yes --no-install-recommends /furrow-test/old.deb
  in_root "$root" dpkg --purge furrow
  rm "$root/usr/sbin/policy-rc.d"
  rm -f "$root"/etc/systemd/system/*.wants/mosquitto.service
}

status=0
for release in "${releases[@]}"; do
  for way in "${ways[@]}"; do
    root="$folder/root" log="$folder/log"
    make_root "$root" "$release" "$way" >"$log" 2>&1 || { tail -n 20 "$log" >&2; exit 1; }
    life=(/furrow-test/life.sh /furrow-test/old.deb /furrow-test/new.deb)
    if [[ "$way" == systemd ]]; then run=("$here/boot.sh" "$root"); else run=(in_container "$root"); fi
    if "${run[@]}" "${life[@]}" >"$log" 2>&1; then
      echo "package $arch on $release ($way): $(grep -c '^== ' "$log") steps"
    else
      status=1
      cat "$log" >&2
      echo "package $arch on $release ($way): failed" >&2
    fi
    rm -rf --one-file-system "$root"
  done
done
exit "$status"
