#!/usr/bin/env bash
# Boots systemd in ROOT, a root file system, with process, mount and network namespaces of its own, and runs COMMAND in
# it: boot.sh ROOT COMMAND... Nothing outlives it, and it changes nothing but what lies under ROOT. Its exit code is
# that of the command; 77 says that namespaces are not permitted here. Needs root.
set -euo pipefail
root="$1"
shift

# Mounts what a container has: processes, a read-only view of the kernel, its own cgroups, and a few devices.
read -r -d '' prepare <<'END' || true
set -eu
root="$1"
mount --make-rprivate / 2>/dev/null || true  # fails where / is no mount; then nothing is shared either
mountpoint --quiet "$root" || mount --bind "$root" "$root"
mount --make-rshared "$root"  # systemd hands credentials to a service by a mount
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
for name in null zero full random urandom tty; do
  : >"$root/dev/$name"
  mount --bind "/dev/$name" "$root/dev/$name"
done
ln -s pts/ptmx "$root/dev/ptmx"
ln -s null "$root/dev/kmsg"
ln -s /proc/self/fd "$root/dev/fd"
exec chroot "$root" /usr/bin/env -i container=furrow-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --unit=basic.target --log-target=journal --show-status=no
END

spaces=(--mount --pid --net --uts --ipc --cgroup)
if ! unshare "${spaces[@]}" --fork --propagation unchanged true 2>/dev/null; then
  echo "boot.sh: namespaces are not permitted here" >&2
  exit 77
fi
unshare "${spaces[@]}" --fork --kill-child --propagation unchanged bash -c "$prepare" boot "$root" &
outer=$!
trap 'kill -KILL "$outer" 2>/dev/null || true; wait "$outer" 2>/dev/null || true' EXIT

# The first process of the new process namespace, once it is systemd.
init=""
for _ in {1..300}; do
  kill -0 "$outer" 2>/dev/null || { echo "boot.sh: the namespace has ended" >&2; exit 1; }
  init="$(cat "/proc/$outer/task/$outer/children" 2>/dev/null || true)"
  init="${init// /}"
  if [[ -n "$init" && -S "/proc/$init/root/run/systemd/private" ]]; then break; fi
  sleep 0.1
done
within() {
  nsenter --target "$init" --mount --pid --net --uts --ipc --cgroup --root -- \
    /usr/bin/env -i --chdir=/ PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb "$@"
}
within systemctl is-system-running --wait >/dev/null || true
status=0
within "$@" || status=$?
exit "$status"
