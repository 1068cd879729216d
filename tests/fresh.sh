#!/usr/bin/env bash
# Both commands of the README on a bare Debian, as a newcomer has it. For each release that is named (else bookworm and
# trixie) a minimal root is made, the committed sources are put into it, and there the demonstration and the tests have
# to pass with nothing skipped. A package that happens to be on this machine can hide that packages.txt lacks it.
# Needs root, debootstrap, and half an hour a release; Debian's mirror is $FURROW_MIRROR, if that is set. Behind a proxy
# with a certificate of its own, NODE_EXTRA_CA_CERTS names the file of its CA, as npm knows it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

releases=("$@")
if ((${#releases[@]} == 0)); then releases=(bookworm trixie); fi
mirror="${FURROW_MIRROR:-http://deb.debian.org/debian}"
if ((EUID != 0)); then echo "tests/fresh.sh: only root can make a root file system" >&2; exit 2; fi
if ! command -v debootstrap >/dev/null; then
  apt-get update >&2
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends debootstrap >&2
fi

folder="$(mktemp -d -p "${TMPDIR:-/var/tmp}" furrow-fresh-XXXXXX)"
trap 'rm -rf --one-file-system "$folder"' EXIT

# within ROOT COMMAND: in a mount and a process namespace of its own, so that nothing is left behind.
within() {
  unshare --mount --pid --fork --kill-child bash -euc '
    mount --make-rprivate /
    mount -t proc proc "$0/proc"
    mount --rbind /dev "$0/dev"
    exec chroot "$0" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LANG=C.UTF-8 \
      ${npm_config_registry:+npm_config_registry="$npm_config_registry"} ${http_proxy:+http_proxy="$http_proxy"} \
      ${https_proxy:+https_proxy="$https_proxy"} ${NODE_EXTRA_CA_CERTS:+NODE_EXTRA_CA_CERTS=/root/ca.crt} \
      bash -euc "$1"' "$1" "$2"
}

status=0
for release in "${releases[@]}"; do
  root="$folder/$release"
  debootstrap --variant=minbase "$release" "$root" "$mirror" >"$folder/debootstrap.log" 2>&1 ||
    { tail -n 20 "$folder/debootstrap.log" >&2; exit 1; }
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  if [[ -n "${NODE_EXTRA_CA_CERTS:-}" ]]; then cp "$NODE_EXTRA_CA_CERTS" "$root/root/ca.crt"; fi
  mkdir "$root/root/furrow"
  git archive HEAD | tar -x -C "$root/root/furrow"
  log="$folder/$release.log"
  if within "$root" "cd /root/furrow && gateway/run.sh --outage 3 --for 10 && tests/run.sh" >"$log" 2>&1 &&
    grep -A1 '^Skipped, and why:$' "$log" | grep -qx '  nothing'; then
    echo "fresh $release: $(grep 'tests passed' "$log" | tail -n 1)"
  else
    status=1
    tail -n 60 "$log" >&2
    echo "fresh $release: failed; again with: tests/fresh.sh $release" >&2
  fi
  rm -rf --one-file-system "$root"
done
exit "$status"
