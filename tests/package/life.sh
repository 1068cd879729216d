#!/usr/bin/env bash
# The life of the package, in a root file system that may be spoilt: life.sh OLD.deb NEW.deb installs the old one, has
# it serve, bridges it to a Mosquitto, kills it, upgrades it while messages wait, removes and purges it, and checks each
# step. With systemd as the first process the service is systemd's; else its ExecStart runs as its user. Needs root,
# mosquitto and its clients, and port 1883 and 1884 of loopback.
set -euo pipefail
old="$1"
new="$2"
region_port=1884
work="$(mktemp -d)"
config=/etc/furrow/furrow.yaml
export DEBIAN_FRONTEND=noninteractive

step() { echo "== $*, at $SECONDS s"; }

fail() {
  echo "life.sh: $*" >&2
  if has_systemd; then journalctl --no-pager --lines=40 --unit=furrow >&2; else cat "$work/furrow.log" >&2; fi || true
  exit 1
}

# until_true WHAT COMMAND...: within a minute
until_true() {
  local what="$1"
  shift
  for _ in {1..600}; do
    if "$@"; then return; fi
    sleep 0.1
  done
  fail "not within a minute: $what"
}

has_systemd() { [[ -d /run/systemd/system ]]; }

service_pid() {
  local pid
  if has_systemd; then
    pid="$(systemctl show --property=MainPID --value furrow)"
    if [[ "$pid" != 0 ]]; then echo "$pid"; fi
  else
    cat "$work/furrow.pid" 2>/dev/null || true
  fi
}

is_serving() { (exec 3<>/dev/tcp/127.0.0.1/1883) 2>/dev/null; }
is_away() { ! is_serving; }
is_another_than() { [[ -n "$(service_pid)" && "$(service_pid)" != "$1" ]] && is_serving; }

starts() { journalctl --unit=furrow --output=cat | grep -c ' info ready$' || true; }

# Without systemd: as the unit says it.
start_by_hand() {
  local command
  command="$(sed -n 's/^ExecStart=//p' /usr/lib/systemd/system/furrow.service)"
  # shellcheck disable=SC2086  # a command with its arguments
  setpriv --reuid=furrow --regid=furrow --init-groups $command >>"$work/furrow.log" 2>&1 &
  echo $! >"$work/furrow.pid"
}

start() {
  if has_systemd; then systemctl start furrow; else start_by_hand; fi
  until_true "furrow serves" is_serving
}

stop() {
  if has_systemd; then systemctl stop furrow; else kill "$(service_pid)"; fi
  until_true "furrow has stopped" is_away
}

start_region() {
  mkdir -p "$work/region"
  chown mosquitto "$work/region"
  chmod 755 "$work"
  printf 'listener %s 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location %s/\n' \
    "$region_port" "$work/region" >"$work/region.conf"
  mosquitto -c "$work/region.conf" >"$work/region.log" 2>&1 &
  region=$!
  until_true "the region serves" bash -c "exec 3<>/dev/tcp/127.0.0.1/$region_port" 2>/dev/null
}

stop_region() { kill "$region" && wait "$region" || true; }

publish() {  # FIRST LAST: numbered messages, each acknowledged
  seq "$1" "$2" | mosquitto_pub -h 127.0.0.1 -p 1883 -t farm/a -q 1 -l || fail "publishing $1 to $2"
}

archive=(mosquitto_sub -h 127.0.0.1 -p "$region_port" -i archive -c -q 1 -t "up/#")

# What the region gets, from its session of the archive: one number a line, until the collector is killed.
collect() {
  "${archive[@]}" >>"$work/arrived" &
  collector=$!
}
has_arrived() { [[ "$(sort -nu "$work/arrived" | wc -l)" == "$1" ]]; }

expect_mode() {
  local found
  found="$(stat --format='%a %U:%G' "$2")"
  [[ "$found" == "$1" ]] || fail "$2 is $found, not $1"
}

retained() { timeout 60 mosquitto_sub -h 127.0.0.1 -p 1883 -t farm/door -C 1; }

step "install"
dpkg --install "$old" >"$work/dpkg.log" 2>&1 || fail "$(cat "$work/dpkg.log")"
id furrow >/dev/null || fail "there is no user"
expect_mode "750 root:furrow" /etc/furrow
expect_mode "644 root:root" "$config"
expect_mode "700 furrow:furrow" /var/lib/furrow
runuser -u furrow -- furrow check >/dev/null || fail "the configuration does not pass its check"
if has_systemd; then
  systemctl is-enabled --quiet furrow || fail "it is not enabled"
  systemd-analyze verify --man=no furrow.service || fail "the unit is not valid"
else
  start
fi
until_true "furrow serves after its installation" is_serving
pid="$(service_pid)"
[[ "$(stat --format=%U "/proc/$pid")" == furrow ]] || fail "it does not run as furrow"

step "publish"
mosquitto_pub -h 127.0.0.1 -p 1883 -t farm/door -m open -q 1 -r
[[ "$(retained)" == open ]] || fail "nothing is published"

step "bridge"
start_region
"${archive[@]}" -E  # makes the session, and leaves
cat >>"$config" <<END
bridges:
  - name: region
    connect: "mqtt://127.0.0.1:$region_port"
    backoff: {max: 1s}
    topics: [{filter: farm/#, remote_prefix: up/}]
END
cp "$config" "$work/config"
if has_systemd; then systemctl reload furrow || fail "it is not reloaded"; else kill -HUP "$pid"; fi
collect
publish 1 100
until_true "100 messages arrive in the region" has_arrived 100

step "kill -9, with messages that wait"
stop_region
kill "$collector" 2>/dev/null || true
publish 101 200
kill -KILL "$pid"
if has_systemd; then until_true "systemd starts it again" is_another_than "$pid"; else sleep 0.2; start; fi
publish 201 300

step "upgrade, with messages that wait"
pid="$(service_pid)"
if has_systemd; then starts_before="$(starts)"; fi
dpkg --install "$new" >"$work/dpkg.log" 2>&1 || fail "$(cat "$work/dpkg.log")"
if has_systemd; then
  is_another_than "$pid" || fail "the upgrade does not restart it"
  (("$(starts)" == starts_before + 1)) || fail "it was not restarted once, but $(($(starts) - starts_before)) times"
else
  stop
  start
fi
cmp "$config" "$work/config" || fail "the upgrade has changed the configuration"
publish 301 400
start_region
collect
until_true "400 messages arrive in the region" has_arrived 400
kill "$collector" 2>/dev/null || true
[[ "$(retained)" == open ]] || fail "the retained message is gone"

if has_systemd; then
  step "a loop that does not turn"
  mkdir -p /etc/systemd/system/furrow.service.d
  printf '[Service]\nWatchdogSec=2s\n' >/etc/systemd/system/furrow.service.d/watchdog.conf
  systemctl daemon-reload
  systemctl restart furrow
  pid="$(service_pid)"
  sleep 3
  [[ "$(service_pid)" == "$pid" ]] || fail "the watchdog ends a loop that turns"
  kill -STOP "$pid"
  until_true "the watchdog ends a loop that does not turn" is_another_than "$pid"
  rm -r /etc/systemd/system/furrow.service.d
  systemctl daemon-reload

  step "upgrade to a version that does not take the configuration"
  echo "nonsense: true" >>"$config"
  pid="$(service_pid)"
  dpkg --install "$new" >"$work/dpkg.log" 2>&1 || fail "$(cat "$work/dpkg.log")"
  grep -q "furrow.yaml:.*nonsense" "$work/dpkg.log" || fail "the mistake is not named: $(cat "$work/dpkg.log")"
  grep -q "goes on running" "$work/dpkg.log" || fail "what to do is not said: $(cat "$work/dpkg.log")"
  [[ "$(service_pid)" == "$pid" ]] || fail "the old process does not go on"

  step "a bad configuration is not started again and again"
  systemctl restart furrow 2>/dev/null && fail "it starts with a bad configuration"
  sleep 2
  [[ "$(systemctl show --property=ActiveState,NRestarts --value furrow | paste -sd' ')" =~ ^(failed 0|0 failed)$ ]] ||
    fail "it is tried again"
  cp "$work/config" "$config"
  systemctl restart furrow || fail "it does not start with the mended configuration"

  step "a secret as a credential"
  mkdir -p /etc/credstore /etc/systemd/system/furrow.service.d
  (umask 077 && echo secret >/etc/credstore/region.password)
  printf '[Service]\nLoadCredential=region.password:/etc/credstore/region.password\n' \
    >/etc/systemd/system/furrow.service.d/credentials.conf
  printf '    username: barn\n    password_from: "${CREDENTIALS_DIRECTORY}/region.password"\n' >>"$config"
  systemctl daemon-reload
  systemctl restart furrow || fail "it does not start with a credential"
  publish 401 500
  collect
  until_true "500 messages arrive in the region, by a password from a credential" has_arrived 500
  kill "$collector" 2>/dev/null || true
  pid="$(service_pid)"
  dpkg --install "$new" >"$work/dpkg.log" 2>&1 || fail "$(cat "$work/dpkg.log")"
  is_another_than "$pid" || fail "an upgrade does not know the credential: $(cat "$work/dpkg.log")"
  rm -r /etc/credstore/region.password /etc/systemd/system/furrow.service.d
fi
stop_region

step "remove"
if ! has_systemd; then stop; fi
dpkg --remove furrow >"$work/dpkg.log" 2>&1 || fail "$(cat "$work/dpkg.log")"
is_away || fail "it goes on after its removal"
[[ -f "$config" && -f /var/lib/furrow/queues.db ]] || fail "a removal takes the configuration or the messages"
[[ ! -e /usr/bin/furrow ]] || fail "a removal leaves the program"

step "purge"
dpkg --purge furrow >"$work/dpkg.log" 2>&1 || fail "$(cat "$work/dpkg.log")"
wanted=/etc/systemd/system/multi-user.target.wants/furrow.service
for left in /etc/furrow /var/lib/furrow /usr/share/doc/furrow "$wanted"; do
  [[ ! -e "$left" && ! -L "$left" ]] || fail "a purge leaves $left"
done
! id furrow 2>/dev/null || fail "a purge leaves the user"
! getent group furrow >/dev/null || fail "a purge leaves the group"
rm -rf "$work"
echo "== all of it"
