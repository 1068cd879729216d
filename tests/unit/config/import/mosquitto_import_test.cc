// What becomes of the options of a mosquitto.conf.
#include "config/import/mosquitto_import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "config/load_yaml.h"
#include "config/write_yaml.h"

namespace furrow::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// An import from files that are in memory.
class MosquittoImport : public testing::Test {
 protected:
  std::map<std::string, std::string> files;
  Imported imported;

  const Config& import(const std::string& text) {
    const ImportFiles reader{.read = [this](const std::string& path) -> Result<std::string> {
                               const auto found = files.find(path);
                               if (found == files.end())
                                 return Error(Errc::NotFound, "read " + path + ": No such file or directory");
                               return found->second;
                             },
                             .list = [this](const std::string& directory) -> Result<std::vector<std::string>> {
                               std::vector<std::string> names;
                               for (const auto& [path, content] : files) {
                                 if (path.starts_with(directory + "/"))
                                   names.push_back(path.substr(directory.size() + 1));
                               }
                               return names;
                             }};
    imported = import_mosquitto(text, "mosquitto.conf", reader);
    EXPECT_EQ(loaded().config, imported.config) << imported_yaml(imported, "mosquitto.conf");
    return imported.config;
  }

  Loaded loaded() {
    return load(imported_yaml(imported, "mosquitto.conf"), "furrow.yaml",
                [](const std::string&) { return std::optional<std::string>(); });
  }

  // The errors of the result, which has none when `furrow check` passes.
  std::vector<std::string> mistakes() {
    std::vector<std::string> all;
    for (const Diagnostic& one : loaded().diagnostics) {
      if (one.severity == Severity::Error) all.push_back(format(one, "furrow.yaml"));
    }
    return all;
  }

  // The remarks on one option.
  std::string said(std::string_view option, Remark::Kind kind = Remark::Kind::Todo) {
    std::string all;
    for (const Remark& one : imported.remarks) {
      if (one.option == option && one.kind == kind) all += format(one) + "\n";
    }
    return all;
  }
  std::string noted(std::string_view option) { return said(option, Remark::Kind::Note); }

  std::string yaml() { return write_yaml(imported.config); }
};

// --- listeners ---

TEST_F(MosquittoImport, WithoutListenerThisMachineAloneComesInWithoutAName) {
  import("persistence true\n");
  EXPECT_EQ(imported.config, Config{});
  EXPECT_TRUE(imported.config.lets_in_anonymous(imported.config.listeners[0]));
  EXPECT_THAT(noted("listener"), HasSubstr("only programs of this machine"));
  EXPECT_THAT(mistakes(), IsEmpty());
}

TEST_F(MosquittoImport, WithAListenerNobodyComesInWithoutAName) {
  import("listener 1883\n");
  EXPECT_EQ(yaml(), "listeners:\n  - bind: \"*:1883\"\naccess: {anonymous: false, password_file: passwords}\n");
  EXPECT_THAT(said("listener"), HasSubstr("mosquitto.conf:1: listener: nobody can come in here"));
  ASSERT_EQ(imported.secrets.size(), 1U);
  EXPECT_EQ(imported.secrets[0].content, "");
  EXPECT_THAT(mistakes(), IsEmpty());
}

TEST_F(MosquittoImport, LoopbackListenersTakeNobodyWithoutANameEither) {
  import("listener 1883 127.0.0.1\npassword_file /etc/pw\n");
  EXPECT_EQ(imported.config.access.anonymous, false);
}

TEST_F(MosquittoImport, Addresses) {
  const Config& config = import(R"(allow_anonymous true
listener 1883 0.0.0.0
listener 1884 ::1
listener 1885 localhost
listener 1886
socket_domain ipv4
listener 1887
socket_domain ipv6
listener 1888 10.0.0.1
bind_interface wlan0
listener 0 /run/mosquitto/mosquitto.sock
listener 1889 gateway.example.org
)");
  std::vector<std::string> binds;
  for (const Listener& one : config.listeners) binds.push_back(one.bind.text());
  EXPECT_THAT(binds, ElementsAre("0.0.0.0:1883", "[::1]:1884", "127.0.0.1:1885", "0.0.0.0:1886", "[::]:1887",
                                 "wlan0:1888", "unix:/run/mosquitto/mosquitto.sock", "127.0.0.1:1889"));
  EXPECT_THAT(said("listener"), HasSubstr("mosquitto.conf:12: listener: write the address of 'gateway.example.org'"));
  EXPECT_THAT(mistakes(), IsEmpty());
}

TEST_F(MosquittoImport, DefaultListenerListensOnceThereIsSomethingAboutIt) {
  import("port 1884\nbind_address 127.0.0.1\nallow_anonymous true\nlistener 1885\n");
  EXPECT_EQ(imported.config.listeners.size(), 2U);
  EXPECT_EQ(imported.config.listeners[0].bind.text(), "127.0.0.1:1884");
  import("max_connections 5\nlistener 1885\n");
  EXPECT_EQ(imported.config.listeners[0].bind.text(), "*:1883");
  import("tls_version tlsv1.2\nlistener 1885\n");
  EXPECT_EQ(imported.config.listeners.size(), 1U);
  EXPECT_THAT(noted("tls_version"), HasSubstr("has no effect in Mosquitto either"));
}

TEST_F(MosquittoImport, ListenerThatCannotBeReadIsLeftOut) {
  import("listener 99999\ncertfile a\nlistener\nlistener 1883 127.0.0.1\nallow_anonymous true\n");
  EXPECT_EQ(imported.config.listeners.size(), 1U);
  EXPECT_THAT(said("listener"), HasSubstr("mosquitto.conf:1: listener: is left out, with all that follows for it"));
  EXPECT_THAT(said("listener"), HasSubstr("mosquitto.conf:3: listener: is left out"));
}

TEST_F(MosquittoImport, WebSocket) {
  import(
      "allow_anonymous true\nlistener 9001\nprotocol websockets\nwebsockets_origin https://dash.example.org\nhttp_dir "
      "x\n");
  EXPECT_EQ(imported.config.listeners[0].protocol, Protocol::WebSocket);
  EXPECT_EQ(imported.config.listeners[0].origins.size(), 1U);
  EXPECT_THAT(said("protocol"), HasSubstr("/mqtt"));
  EXPECT_THAT(said("http_dir"), HasSubstr("no files"));
}

TEST_F(MosquittoImport, LimitsOfConnectionsAreTheSumOfThoseOfListeners) {
  import("allow_anonymous true\nlistener 1883\nmax_connections 10\nlistener 1884\nmax_connections 5\n");
  EXPECT_EQ(imported.config.limits.connections_max, 15U);
  import("allow_anonymous true\nlistener 1883\nmax_connections 10\nlistener 1884\nmax_connections -1\n");
  EXPECT_EQ(imported.config.limits.connections_max, Limits().connections_max);
  EXPECT_THAT(said("max_connections"), HasSubstr("left out"));
}

// --- TLS ---

TEST_F(MosquittoImport, ServerCertificateAloneAsksClientsForNone) {
  import("allow_anonymous true\nlistener 8883\ncafile ca\ncertfile /a.crt\nkeyfile /a.key\ntls_version tlsv1.3\n");
  EXPECT_EQ(imported.config.listeners[0].tls,
            (ListenerTls{.certificate = "/a.crt", .key = "/a.key", .version_min = TlsVersion::V1_3}));
  EXPECT_THAT(noted("cafile"), HasSubstr("require_certificate is not true"));
}

TEST_F(MosquittoImport, CertificatesOfClientsNameTheirUsers) {
  const std::string tls = "listener 8883\ncertfile /a\nkeyfile /b\ncafile /c\ncrlfile /d\nrequire_certificate true\n";
  import(tls + "use_identity_as_username true\n");
  EXPECT_EQ(imported.config.listeners[0].tls,
            (ListenerTls{.certificate = "/a", .key = "/b", .client_ca = "/c", .crl = "/d"}));
  EXPECT_TRUE(imported.config.access.password_file.empty());
  EXPECT_THAT(mistakes(), IsEmpty());
  import(tls + "use_subject_as_username true\n");
  EXPECT_EQ(imported.config.listeners[0].tls.username_from, UsernameFrom::Subject);
}

TEST_F(MosquittoImport, CertificateAndPasswordAreBothAskedFor) {
  files["/pw"] = "ann:$7$101$c2FsdA==$aGFzaA==\n";
  const std::string tls =
      "listener 8883\ncertfile /a\nkeyfile /b\ncafile /c\nrequire_certificate true\npassword_file /pw\n";
  import(tls);
  EXPECT_THAT(imported.config.listeners[0].authenticate, ElementsAre("certificate", "password"));
  EXPECT_THAT(said("listener"), HasSubstr("a client is the user that its certificate names"));
  EXPECT_THAT(mistakes(), IsEmpty());
  import(tls + "allow_anonymous true\n");
  EXPECT_THAT(imported.config.listeners[0].authenticate, IsEmpty());
}

TEST_F(MosquittoImport, FolderOfCertificatesHasToBecomeAFile) {
  import(
      "listener 8883\ncertfile /a\nkeyfile /b\ncapath /etc/ca\nrequire_certificate true\nuse_identity_as_username "
      "true\n");
  EXPECT_EQ(imported.config.listeners[0].tls.client_ca, "client-ca.crt");
  EXPECT_THAT(said("capath"), HasSubstr("cat /etc/ca/*.crt > client-ca.crt"));
}

TEST_F(MosquittoImport, PresharedKeys) {
  import("psk_file /etc/psk\nlistener 8884\npsk_hint here\nuse_identity_as_username true\n");
  EXPECT_EQ(imported.config.listeners[0].psk_file, "/etc/psk");
  EXPECT_THAT(said("psk_hint"), "");
  EXPECT_THAT(mistakes(), IsEmpty());
  import("psk_file /etc/psk\nlistener 8884\npsk_hint here\n");
  EXPECT_THAT(said("psk_hint"), HasSubstr("its identity names"));
}

// --- users and rules ---

TEST_F(MosquittoImport, PasswordFileWithSlowHashesIsTakenAsItIs) {
  files["/pw"] = "# users\nann:$7$101$c2FsdA==$aGFzaA==\n";
  import("listener 1883\npassword_file /pw\n");
  EXPECT_EQ(imported.config.access.password_file, "/pw");
  EXPECT_THAT(imported.secrets, IsEmpty());
}

TEST_F(MosquittoImport, UsersWithFastHashesAreLeftOutOfANewFile) {
  files["/pw"] = "ann:$7$101$c2FsdA==$aGFzaA==\nbob:$6$salt$key\ncarl:hunter2\nann:$7$1$a$b\ndave\n";
  import("listener 1883\npassword_file /pw\n");
  EXPECT_EQ(imported.config.access.password_file, "passwords");
  ASSERT_EQ(imported.secrets.size(), 1U);
  EXPECT_EQ(imported.secrets[0].content, "ann:$7$101$c2FsdA==$aGFzaA==\n");
  EXPECT_THAT(said("password_file"), HasSubstr("line 2 of it: user 'bob'"));
  EXPECT_THAT(said("password_file"), HasSubstr("user 'dave'"));
  EXPECT_THAT(imported_yaml(imported, "x"), Not(HasSubstr("hunter2")));
}

TEST_F(MosquittoImport, RulesThatCannotBeReadGrantNothing) {
  import("allow_anonymous true\nlistener 1883\nacl_file /gone\n");
  ASSERT_TRUE(imported.config.access.rules.has_value());
  EXPECT_THAT(*imported.config.access.rules, IsEmpty());
  EXPECT_THAT(said("acl_file"), HasSubstr("clients may do nothing"));
}

TEST_F(MosquittoImport, PluginThatDecidesAccessIsNotReplacedByNothing) {
  import("listener 1883\nplugin /usr/lib/mosquitto_dynamic_security.so\nplugin_opt_config_file /x.json\n");
  EXPECT_EQ(imported.config.access.anonymous, false);
  EXPECT_THAT(*imported.config.access.rules, IsEmpty());
  EXPECT_THAT(said("plugin"), HasSubstr("furrow has no plugins"));
  EXPECT_THAT(mistakes(), IsEmpty());
  import("listener 1883\nallow_anonymous true\nplugin /usr/lib/mosquitto_persist_sqlite.so\n");
  EXPECT_FALSE(imported.config.access.rules.has_value());
}

TEST_F(MosquittoImport, NamesThatNobodyProvesAreSpokenOf) {
  files["/acl"] = "user ann\ntopic a/#\n";
  import("listener 1883\nallow_anonymous true\nacl_file /acl\n");
  EXPECT_THAT(said("acl_file"), HasSubstr("nobody can prove a name"));
}

TEST_F(MosquittoImport, EachListenerHasItsOwnUsersAndRules) {
  files["/acl"] = "topic read public/#\nuser ann\ntopic #\n";
  files["/one"] = files["/two"] = "";
  import(R"(per_listener_settings true
listener 1883 127.0.0.1
allow_anonymous true
acl_file /acl
listener 1884
password_file /one
listener 1885
password_file /two
)");
  EXPECT_EQ(yaml(), R"(listeners:
  - {name: mqtt, bind: 127.0.0.1:1883, anonymous: true}
  - {name: mqtt-2, bind: "*:1884"}
  - {name: mqtt-3, bind: "*:1885"}
access:
  anonymous: false
  password_file: /one
  rules:
    - {user: ann, listener: mqtt, publish: "#", subscribe: "#"}
    - {listener: mqtt, anonymous: true, subscribe: public/#}
    - {listener: mqtt-2, publish: "#", subscribe: ["#", $SYS/#]}
    - {listener: mqtt-3, publish: "#", subscribe: ["#", $SYS/#]}
)");
  EXPECT_THAT(said("password_file"),
              HasSubstr("mosquitto.conf:8: password_file: all listeners have one password file"));
  EXPECT_THAT(mistakes(), IsEmpty());
}

TEST_F(MosquittoImport, UserNamesAsIdentifiers) {
  import("listener 1883\nuse_username_as_clientid true\n");
  EXPECT_EQ(imported.config.access.client_id, ClientIdPolicy::User);
}

// --- the broker ---

TEST_F(MosquittoImport, Limits) {
  const Config& config = import(R"(max_inflight_messages 20
max_queued_messages 500
max_queued_bytes 1500
message_size_limit 100000
max_keepalive 300
persistent_client_expiration 2w
memory_limit 100000000
sys_interval 60
global_max_connections 99999999
)");
  EXPECT_EQ(config.limits.inflight_max, 20);
  EXPECT_EQ(config.sessions.queue.messages_max, 500U);
  EXPECT_EQ(config.sessions.queue.bytes_max, 2 * KiB);
  EXPECT_EQ(config.sessions.queue.when_full, WhenFull::DropNewest);
  EXPECT_EQ(config.limits.packet_bytes_max, 100 * KiB);
  EXPECT_EQ(config.sessions.keepalive_max, Seconds(300));
  EXPECT_EQ(config.sessions.expiry_max, Days(14));
  EXPECT_EQ(config.limits.memory_bytes_max, 97'657 * KiB);
  EXPECT_EQ(config.status.interval, Seconds(60));
  EXPECT_EQ(config.limits.connections_max, 1'000'000U);
  EXPECT_THAT(said("global_max_connections"), HasSubstr("limits.connections takes 0 to 1000000; the nearest is taken"));
}

TEST_F(MosquittoImport, ExpirationsHaveUnits) {
  for (const auto& [text, days] : {std::pair("12h", 0), {"5d", 5}, {"2m", 60}, {"1y", 365}}) {
    import(std::string("persistent_client_expiration ") + text + "\n");
    EXPECT_EQ(imported.config.sessions.expiry_max, days == 0 ? Duration(std::chrono::hours(12)) : Duration(Days(days)));
  }
  import("persistent_client_expiration 5\n");
  EXPECT_EQ(imported.config.sessions.expiry_max, Days(7));
  EXPECT_THAT(said("persistent_client_expiration"), HasSubstr("left out"));
}

TEST_F(MosquittoImport, StoreBeginsEmptyElsewhere) {
  import("persistence true\npersistence_location /var/lib/mosquitto/\n");
  EXPECT_EQ(imported.config.gateway.data, "/var/lib/furrow");
  import("persistence_location /mosquitto/data/\n");
  EXPECT_EQ(imported.config.gateway.data, "/mosquitto/data/furrow");
  EXPECT_THAT(said("persistence_location"), HasSubstr("mosquitto.db"));
}

TEST_F(MosquittoImport, LogLevels) {
  import("log_type error\nlog_type warning\n");
  EXPECT_EQ(imported.config.log.level, LogLevel::Warning);
  import("log_type all\n");
  EXPECT_EQ(imported.config.log.level, LogLevel::Debug);
  import("log_dest file /var/log/mosquitto.log\nlog_dest stderr\n");
  EXPECT_THAT(said("log_dest"), HasSubstr("mosquitto.conf:1: log_dest"));
  EXPECT_THAT(noted("log_dest"), HasSubstr("mosquitto.conf:2: note: log_dest"));
}

TEST_F(MosquittoImport, WhatNeedsNothingIsANoteAndTheRestIsLeftToDo) {
  import("autosave_interval 5\nupgrade_outgoing_qos true\nallow_anonymus true\nbridge_cafile x\n");
  EXPECT_THAT(noted("autosave_interval"),
              HasSubstr("mosquitto.conf:1: note: autosave_interval: everything is written"));
  EXPECT_THAT(said("upgrade_outgoing_qos"), HasSubstr("mosquitto.conf:2: upgrade_outgoing_qos: a message"));
  EXPECT_THAT(said("allow_anonymus"), HasSubstr("did you mean 'allow_anonymous'?"));
  EXPECT_THAT(said("bridge_cafile"), HasSubstr("no 'connection' before it"));
}

TEST_F(MosquittoImport, IncludedFilesBeginAnew) {
  files["/conf.d/b.conf"] = "listener 1884\nallow_anonymous true\n";
  files["/conf.d/A.conf"] = "bind_interface eth0\n";
  files["/conf.d/README"] = "nonsense\n";
  import("listener 1883 127.0.0.1\ninclude_dir /conf.d\nmax_connections 7\n");
  std::vector<std::string> binds;
  for (const Listener& one : imported.config.listeners) binds.push_back(one.bind.text());
  EXPECT_THAT(binds, ElementsAre("eth0:1883", "127.0.0.1:1883", "*:1884"));
  EXPECT_EQ(imported.config.access.anonymous, true);
  import("include_dir /gone/\n");
  EXPECT_THAT(imported.remarks, Not(IsEmpty()));
}

// --- bridges ---

TEST_F(MosquittoImport, Bridge) {
  import(R"(connection region
addresses a.example.org:8883 [2001:db8::1]:8884 b.example.org
bridge_cafile /ca
bridge_certfile /us.crt
bridge_keyfile /us.key
bridge_alpn mqtt
bridge_tls_version tlsv1.3
bridge_protocol_version mqttv50
clientid barn-7
username barn
password with blanks in it
cleansession true
keepalive_interval 60
restart_timeout 10 90
topic farm/# out 1 "" us/
topic cmd/# IN 2 local/ us/
)");
  EXPECT_EQ(yaml(), R"(bridges:
  - name: region
    connect: [mqtts://a.example.org:8883, "mqtts://[2001:db8::1]:8884", mqtts://b.example.org:1883]
    mqtt_version: 5
    client_id: barn-7
    username: barn
    password_from: region.password
    tls:
      ca: /ca
      certificate: /us.crt
      key: /us.key
      alpn: mqtt
      min_version: 1.3
    keepalive: 1m
    session_expiry: 0
    backoff: {initial: 10s, max: 90s}
    topics:
      - {filter: farm/#, remote_prefix: us/}
      - {filter: cmd/#, direction: down, qos: 2, local_prefix: local/, remote_prefix: us/}
)");
  ASSERT_EQ(imported.secrets.size(), 1U);
  EXPECT_EQ(imported.secrets[0].content, "with blanks in it\n");
  EXPECT_THAT(mistakes(), IsEmpty());
}

TEST_F(MosquittoImport, PasswordsAreNotInTheConfigurationNorInRemarks) {
  import(
      "connection a\naddress b\nremote_username u\nremote_password s3cr3t\nlocal_password s3cr3t\ntopic #\n"
      "connection c\naddress d\nbridge_identity u\nbridge_psk 53c237\ntopic x\n");
  EXPECT_THAT(imported_yaml(imported, "x"), Not(HasSubstr("s3cr3t")));
  EXPECT_THAT(imported_yaml(imported, "x"), Not(HasSubstr("53c237")));
  EXPECT_EQ(imported.config.bridges[1].psk_from, "c.psk");
  EXPECT_EQ(imported.config.bridges[1].connect[0].text(), "mqtts://d:1883");
  EXPECT_EQ(imported.secrets.size(), 2U);
}

TEST_F(MosquittoImport, TopicsInEveryForm) {
  const Config& config = import(R"(connection a
address b
topic one
topic two in
topic three both 2
topic four out 1 "" r/
topic # out 0 l/ ""
topic "" out 1 a/b/temp x/temp
topic "" in 1 door outdoor
topic "" out 1 cold hot
topic $SYS/broker/# in
topic clients/total in 0 test/ $SYS/broker/
topic x sideways
topic a#b out
topic four/+ out "" ""
topic x out 3
)");
  std::vector<std::string> rules;
  for (const TopicRule& one : config.bridges[0].topics) {
    rules.push_back(one.local_prefix + "|" + one.remote_prefix + "|" + one.filter + "|" +
                    std::to_string(static_cast<int>(one.direction)) + std::to_string(one.qos));
  }
  // Mosquitto looks at those with prefixes first, and `l/#` has something in common with none of the others.
  EXPECT_THAT(rules, ElementsAre("||one|00", "||two|10", "||three|22", "|r/|four|01", "l/||#|00", "a/b/|x/|temp|01",
                                 "|out|door|11", "test/|$SYS/broker/|clients/total|10", "||four/+|00"));
  EXPECT_THAT(said("topic"), HasSubstr("mosquitto.conf:10: topic: one topic under another name"));
  EXPECT_THAT(said("topic"), HasSubstr("mosquitto.conf:11: topic: '$SYS/broker/#' would come down"));
  EXPECT_THAT(said("topic"), HasSubstr("mosquitto.conf:13: topic: 'sideways'"));
  EXPECT_THAT(said("topic"), HasSubstr("mosquitto.conf:14: topic: makes no topic filter"));
  EXPECT_THAT(said("topic"), HasSubstr("mosquitto.conf:16: topic: '3' is no QoS"));
  EXPECT_THAT(mistakes(), IsEmpty());
}

TEST_F(MosquittoImport, RulesWithPrefixesComeFirstWhereTheyMeetOthers) {
  import("connection a\naddress b\ntopic # out\ntopic farm/# out 0 \"\" us/\n");
  EXPECT_EQ(imported.config.bridges[0].topics[0].remote_prefix, "us/");
  EXPECT_THAT(noted("connection"), HasSubstr("stand first now"));
}

TEST_F(MosquittoImport, RetainIsClearedOnTheWayUpAlone) {
  import(
      "connection a\naddress b\ntopic x both 1\ntopic y in 1\nbridge_outgoing_retain false\nqueue_qos0_messages "
      "true\n");
  EXPECT_THAT(yaml(), HasSubstr("      - {filter: x, direction: down}\n"
                                "      - {filter: x, retain: clear, buffer_qos0: true}\n"
                                "      - {filter: y, direction: down}\n"));
}

TEST_F(MosquittoImport, BridgesWithNamesThatCannotBeNames) {
  import(
      "connection a/b\naddress c\ntopic x\nconnection -a+b\naddress d\ntopic x\n"
      "connection nowhere\nremote_username u\nremote_password p\ntopic x\n");
  EXPECT_THAT(imported.secrets, IsEmpty());
  ASSERT_EQ(imported.config.bridges.size(), 2U);
  EXPECT_EQ(imported.config.bridges[0].name, "a-b");
  EXPECT_EQ(imported.config.bridges[1].name, "a-b-2");
  EXPECT_THAT(said("connection"), HasSubstr("mosquitto.conf:7: connection: has no address, and is left out"));
}

TEST_F(MosquittoImport, InsecureBridgesStaySecure) {
  import("connection a\naddress b:8883\nbridge_cafile /ca\nbridge_insecure true\ntopic x\n");
  EXPECT_EQ(imported.config.bridges[0].tls.ca, "/ca");
  EXPECT_THAT(said("bridge_insecure"), HasSubstr("pin"));
}

TEST_F(MosquittoImport, LazyBridgesConnectOnDemand) {
  import(
      "connection a\naddress b\nstart_type lazy\nthreshold 5\nidle_timeout 30\ntopic x\n"
      "connection c\naddress d\nstart_type lazy\nbridge_bind_address 192.168.4.2\ntopic x\n"
      "connection e\naddress f\nstart_type automatic\nthreshold 5\ntopic x\n");
  ASSERT_EQ(imported.config.bridges.size(), 3U);
  EXPECT_EQ(imported.config.bridges[0].demand, (Demand{.messages = 5, .idle = Seconds(30)}));
  EXPECT_EQ(imported.config.bridges[1].demand, (Demand{.messages = 10, .idle = Seconds(60)}));
  EXPECT_EQ(imported.config.bridges[1].source, "192.168.4.2");
  EXPECT_FALSE(imported.config.bridges[2].demand.is_asked_for());
  EXPECT_THAT(noted("start_type"), HasSubstr("demand.age bounds how long"));
}

TEST_F(MosquittoImport, ForeignBytesBecomeNothing) {
  import("listener 1883 127.0.0.1\nallow_anonymous true\nacl_file /a\x01\nconnection x\naddress \xC3\x28\n");
  EXPECT_THAT(*imported.config.access.rules, IsEmpty());  // a file of rules that nobody can name
  for (const Remark& one : imported.remarks) EXPECT_EQ(format(one).find('\x01'), std::string::npos);
}

}  // namespace
}  // namespace furrow::config
