// What is written is read as the same, whatever the values are.
#include "config/write_yaml.h"

#include <gtest/gtest.h>

#include "config/load_yaml.h"
#include "config/reference.h"

namespace furrow::config {
namespace {

Config reread(const std::string& text) {
  const Loaded loaded = load(text, "furrow.yaml", [](const std::string&) { return std::optional<std::string>(); });
  return loaded.config;
}

TEST(WriteYaml, DefaultIsEmpty) {
  EXPECT_EQ(write_yaml(Config{}), "");
}

TEST(WriteYaml, WritesAsAPersonWould) {
  Config config = reread(
      "gateway: {data: /data}\nlisteners: [{bind: '*:1883'}, {bind: '[::]:8883', tls: {certificate: a.crt, key: "
      "a.key}}]\n"
      "access: {anonymous: false, rules: [{user: ann, publish: 'farm/{user}/#', subscribe: ['#', $SYS/#]}]}\n"
      "bridges: [{name: region, connect: [mqtt://a:1883, mqtts://b:8883], topics: [{filter: '#', qos: 2}]}]\n");
  EXPECT_EQ(write_yaml(config), R"(gateway: {data: /data}
listeners:
  - bind: "*:1883"
  - {bind: "[::]:8883", tls: {certificate: a.crt, key: a.key}}
access:
  anonymous: false
  rules:
    - {user: ann, publish: "farm/{user}/#", subscribe: ["#", $SYS/#]}
bridges:
  - name: region
    connect: [mqtt://a:1883, mqtts://b:8883]
    topics:
      - {filter: "#", qos: 2}
)");
}

TEST(WriteYaml, EveryKeyComesBack) {
  // The reference has every key at its default: each is given another value, and all of them at once are too many.
  const Config config = reread(R"(
gateway: {id: barn-7, data: /data}
listeners:
  - {name: lan, bind: 'wlan0:1883', wait: false, allow_from: [192.168.0.0/16, 'fd00::/8'], anonymous: true}
  - {bind: 'unix:/run/a b', mode: '0666', group: furrow, authenticate: [socket]}
  - bind: 0.0.0.0:8883
    tls: {certificate: a, key: b, client_ca: c, require_client_certificate: false, username_from: san_uri, crl: d,
          min_version: '1.3'}
  - {bind: 0.0.0.0:8884, psk_file: e, proxy_protocol: {from: 10.0.0.2}}
  - {bind: 0.0.0.0:8083, protocol: websocket, origins: [https://a.example.org]}
access:
  client_id: starts-with-user
  password_file: passwords
  denied: disconnect
  groups: {'field: a': [x, 'y, z'], other: one}
  rules:
    - {group: ['field: a'], client: [dev-*], listener: lan, from: 10.0.0.0/8, publish: '#', retain: false}
    - {anonymous: true, deny_publish: a, deny_subscribe: [b, c]}
    - {everyone: true, subscribe: '+'}
sessions: {expiry_max: 90m, keepalive_max: 300s, queue: {messages: 5, bytes: 8KiB, when_full: drop-newest}}
limits: {connections: 5, packet: 3KiB, inflight: 7, retained: {messages: 6, bytes: 9MiB}, memory: 1GiB}
store: {acknowledge: received, interval: 250ms, retained: lazy, retained_interval: 2s, disk_reserve: 1MiB}
bridges:
  - name: region
    enabled: false
    connect: 'mqtts://[2001:db8::1]:8883'
    mqtt_version: 3.1.1
    client_id: 'x-{gateway}'
    username: 'a "quoted" \ user'
    password_from: p
    tls: {ca: ./system, certificate: a, key: b, alpn: [mqtt, x], server_name: n, min_version: '1.3'}
    keepalive: 60s
    ack_timeout: 10s
    inflight: 5
    stamp: [received_at, sequence]
    loop_guard: always
    hop_limit: 2
    session_expiry: 0s
    backoff: {initial: 10ms, max: 1h}
    buffer: {bytes: 5MiB, messages: 9, age: 3d, when_full: refuse}
    topics:
      - {filter: a, direction: both, qos: 0, local_prefix: l/, remote_prefix: r/, except: [b, c], retain: clear,
         buffer_qos0: true, expire_after: 5m}
      - {filter: b/+, remote: 'x/{1}', every: 10s, changed_only: true, heartbeat: 15m,
         properties: {'site: a': 'n, b', unit: C}}
  - {name: other, connect: mqtts://b, pin: [sha256/AA=, sha256/BB=]}
  - {name: third, connect: mqtts://c, psk_identity: me, psk_from: k}
status: {interval: 30s, remote_topic: 'fleet/{gateway}', clients: true, watch: [{filter: a, silent_after: 2h}]}
log: {level: debug, format: json}
)");
  ASSERT_EQ(config.bridges.size(), 3U);  // it was read
  EXPECT_EQ(reread(write_yaml(config)), config) << write_yaml(config);
}

TEST(WriteYaml, TextsThatYamlWouldTakeForSomethingElse) {
  for (const std::string text : {"#",   "a #b",   "a: b", "null", "~",   "true", "- a", "*",       "&a",
                                 "!a",  "%a",     "@a",   "`a`",  "'",   "\"",   "\\n", "${HOME}", "$$",
                                 "$",   "$SYS/#", "{a}",  "[a]",  "a,b", "a:",   " a",  "a ",      "0x1",
                                 "1_0", "ü/€",    "?",    "|",    ">",   "=",    "<<",  "a\\",     "..."}) {
    Config config;
    Bridge& bridge = config.bridges.emplace_back();
    bridge.username = text;
    bridge.topics.emplace_back().local_prefix = text;
    config.access.rules.emplace().emplace_back().user = {text, text};
    EXPECT_EQ(reread(write_yaml(config)), config) << write_yaml(config);
  }
}

TEST(WriteYaml, NoRulesAreNotAnEmptyListOfRules) {
  Config config;
  config.access.rules.emplace();
  EXPECT_EQ(write_yaml(config), "access: {rules: []}\n");
  EXPECT_EQ(reread(write_yaml(config)), config);
}

}  // namespace
}  // namespace furrow::config
