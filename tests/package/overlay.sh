#!/usr/bin/env bash
# Runs COMMAND under systemd on a copy of this machine that is thrown away: overlay.sh FOLDER COMMAND... What is in
# FOLDER is in /furrow-test there. The copy is an overlay in memory over this root, so that packages are really
# installed and nothing of it stays. Exit codes are those of boot.sh.
set -euo pipefail
folder="$(realpath "$1")"
here="$(dirname "$(realpath "${BASH_SOURCE[0]}")")"
shift
space="$(mktemp -d)"
trap 'rmdir "$space"' EXIT

read -r -d '' mount_and_boot <<'END' || true
set -eu
space="$1" folder="$2" boot="$3"
shift 3
mount --make-rprivate / 2>/dev/null || true  # as in boot.sh
mount -t tmpfs tmpfs "$space"
mkdir "$space/upper" "$space/work" "$space/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$space/upper,workdir=$space/work" "$space/root" 2>/dev/null || {
  echo "overlay.sh: no overlay over / is permitted here" >&2
  exit 77
}
cp -r "$folder" "$space/root/furrow-test"
rm -rf "$space"/root/etc/systemd/system/*.wants "$space/root/usr/sbin/policy-rc.d"
"$boot" "$space/root" "$@"
END

if ! unshare --mount true 2>/dev/null && ! unshare --mount --propagation unchanged true 2>/dev/null; then
  echo "overlay.sh: namespaces are not permitted here" >&2
  exit 77
fi
unshare --mount --propagation unchanged bash -c "$mount_and_boot" overlay "$space" "$folder" "$here/boot.sh" "$@"
