// Bridges to other brokers, and the topics that cross them.
#include <algorithm>
#include <cctype>
#include <iterator>
#include <optional>

#include "broker-core/mqtt/topic.h"
#include "config/import/import_context.h"
#include "config/messages.h"
#include "config/rule_filters.h"

namespace furrow::config {
namespace {

constexpr std::size_t kNameBytesMax = 64;

// A name that furrow takes, and that a file can have: everything else in it becomes `-`.
std::string fit_name(std::string_view name) {
  name.remove_prefix(std::min(name.find_first_not_of("-."), name.size()));
  std::string fit(name.substr(0, kNameBytesMax));
  for (char& c : fit) {
    const bool is_allowed = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '-';
    if (!is_allowed) c = '-';
  }
  while (fit.starts_with('-')) fit.erase(0, 1);
  return fit.empty() ? "bridge" : fit;
}

// --- topics ---

// `topic PATTERN [DIRECTION [QOS [LOCAL REMOTE]]]`, where "" stands for nothing.
struct TopicLine {
  std::string pattern;
  Direction direction = Direction::Up;
  std::uint8_t qos = 0;
  std::string local_prefix;
  std::string remote_prefix;
};

std::string without_marker(std::string_view word) {
  return word == "\"\"" ? std::string() : std::string(word);
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

// What is wrong with the line; empty when nothing is.
std::string read_topic(const MosquittoLine& line, TopicLine& topic) {
  const std::vector<std::string_view> words = words_of(line.value);
  if (words.empty()) return "has no topic";
  topic.pattern = without_marker(words[0]);
  if (words.size() > 1) {
    const std::string direction = lower_case(words[1]);
    if (direction != "out" && direction != "in" && direction != "both") {
      return in_quotes(words[1]) + " is not one of: out, in, both";
    }
    topic.direction = direction == "out" ? Direction::Up : direction == "in" ? Direction::Down : Direction::Both;
  }
  if (words.size() > 2 && !words[2].starts_with('#')) {
    const bool is_number = words[2].find_first_not_of("0123456789") == std::string_view::npos;
    if (is_number && (words[2].size() > 1 || words[2] > "2")) return in_quotes(words[2]) + " is no QoS";
    if (is_number) topic.qos = static_cast<std::uint8_t>(words[2][0] - '0');  // else 0, as Mosquitto reads it
    if (words.size() > 3 && !words[3].starts_with('#')) {
      topic.local_prefix = without_marker(words[3]);
      if (words.size() > 4 && !words[4].starts_with('#')) topic.remote_prefix = without_marker(words[4]);
    }
  }
  return {};
}

// One topic here and one there, as a rule whose filter is what both end in: whole levels, or else characters.
bool split_single_topic(TopicLine& topic) {
  const std::string& local = topic.local_prefix;
  const std::string& remote = topic.remote_prefix;
  std::size_t common = 0;
  while (common < std::min(local.size(), remote.size()) &&
         local[local.size() - 1 - common] == remote[remote.size() - 1 - common]) {
    ++common;
  }
  // No half of a character.
  while (common > 0 && (static_cast<unsigned char>(local[local.size() - common]) & 0xC0) == 0x80) --common;
  if (common == 0) return false;
  std::string filter = local.substr(local.size() - common);
  const auto begins_level = [&](const std::string& name) {
    return name.size() == filter.size() || name[name.size() - filter.size() - 1] == '/';
  };
  const std::size_t slash = filter.find('/');
  const bool has_whole_level = slash != std::string::npos && slash + 1 < filter.size();
  if (has_whole_level && !(begins_level(local) && begins_level(remote))) filter = filter.substr(slash + 1);
  topic.pattern = filter;
  topic.local_prefix.resize(local.size() - filter.size());
  topic.remote_prefix.resize(remote.size() - filter.size());
  return true;
}

// Whether a message may be for both rules, in one of the directions that both have.
bool meet(const TopicRule& one, const TopicRule& other) {
  return (one.goes_up() && other.goes_up() && mqtt::overlaps(local_filter(one), local_filter(other))) ||
         (one.comes_down() && other.comes_down() && mqtt::overlaps(remote_filter(one), remote_filter(other)));
}

bool is_remapped(const TopicRule& rule) {
  return !rule.local_prefix.empty() || !rule.remote_prefix.empty();
}

class BridgeTranslation {
 public:
  BridgeTranslation(MosquittoBridge& from, bool buffers_qos0, const ImportContext& context)
      : from_(from.options), line_(from.opened_by), buffers_qos0_(buffers_qos0), context_(context) {}

  // Nothing for a bridge that leads nowhere.
  std::optional<Bridge> translate() {
    find_name();
    find_tls();
    find_addresses();
    find_identity();
    find_session();
    find_times();
    find_kind();
    find_topics();
    if (bridge_.connect.empty()) {
      context_.say(line_.todo("has no address, and is left out"));
      return std::nullopt;
    }
    std::ranges::move(secrets_, std::back_inserter(context_.result.secrets));
    return bridge_;
  }

 private:
  void find_name() {
    bridge_.name = fit_name(line_.word());
    const std::string wanted = bridge_.name;
    for (int number = 2; is_taken(bridge_.name); ++number) {
      bridge_.name = wanted.substr(0, kNameBytesMax - 4) + "-" + std::to_string(number);
    }
    if (bridge_.name != line_.word()) context_.say(line_.todo("is called " + bridge_.name + " now"));
  }

  bool is_taken(const std::string& name) const {
    const std::vector<Bridge>& bridges = context_.config().bridges;
    return std::ranges::find(bridges, name, &Bridge::name) != bridges.end();
  }

  // --- where to, and who we are there ---

  void find_addresses() {
    const MosquittoLine* const line = from_.take("address");
    if (line == nullptr) return;
    for (const std::string_view word : words_of(line->value)) {
      if (word.starts_with('#')) return;
      const std::size_t colon = word.rfind(':');
      const std::string_view host = word.substr(0, colon);
      const std::string port = colon == std::string_view::npos ? "1883" : std::string(word.substr(colon + 1));
      const bool is_v6 = host.find(':') != std::string_view::npos && !host.starts_with('[');
      const std::string shown = is_v6 ? "[" + std::string(host) + "]" : std::string(host);
      Result<Address> address = parse_address((is_encrypted_ ? "mqtts://" : "mqtt://") + shown + ":" + port);
      if (address) {
        bridge_.connect.push_back(*std::move(address));
      } else {
        context_.say(line->todo(address.error().message() + "; left out"));
      }
    }
    const bool in_turn = from_.take_flag("round_robin", false, context_.result.remarks);
    if (bridge_.connect.size() < 2) return;
    if (in_turn) {
      context_.say(line->todo("the addresses are tried in their order at each connect, not in turn"));
    } else {
      context_.say(
          line->todo("the bridge stays with the address that it has got, also once an earlier one is there again"));
    }
  }

  void find_identity() {
    const MosquittoLine* const id = from_.take("remote_clientid");
    if (id == nullptr) {
      context_.say(line_.todo("without remote_clientid Mosquitto is called HOSTNAME." + std::string(line_.word()) +
                              " at the far side; furrow is {gateway}-{bridge} there (client_id)"));
    } else if (id->value.find('{') != std::string::npos) {
      context_.say(id->todo("a { in a client_id would be taken for {gateway} or {bridge}; left out"));
    } else {
      bridge_.client_id = id->value;
    }
    if (const MosquittoLine* name = from_.take("remote_username")) bridge_.username = name->value;
    if (const MosquittoLine* password = from_.take("remote_password")) {
      if (bridge_.username.empty()) {
        context_.say(password->todo("is left out: without remote_username no password is sent"));
      } else {
        bridge_.password_from = secret(*password, ".password", "the password of bridge ");
      }
    }
  }

  std::string secret(const MosquittoLine& line, std::string_view ending, const std::string& what) {
    std::string name = bridge_.name + std::string(ending);
    // A secret that begins or ends with a blank was never one: Mosquitto takes them off, too.
    secrets_.push_back(
        {.name = name, .content = line.value + "\n", .what = what + in_quotes(bridge_.name), .line = line});
    return name;
  }

  // --- TLS ---

  void find_tls() {
    const MosquittoLine* const ca = from_.take("bridge_cafile");
    const MosquittoLine* const folder = from_.take("bridge_capath");
    const MosquittoLine* const system = from_.take("bridge_tls_use_os_certs");
    const MosquittoLine* const identity = from_.take("bridge_identity");
    const MosquittoLine* const psk = from_.take("bridge_psk");
    const bool uses_system = system != nullptr && system->flag().value_or(false);
    const bool has_psk = identity != nullptr && psk != nullptr;
    is_encrypted_ = ca != nullptr || folder != nullptr || uses_system || has_psk;
    if (has_psk) return find_psk(*identity, *psk);
    if (!is_encrypted_) return leave_out_tls();
    if (ca != nullptr) {
      bridge_.tls.ca = context_.path_of(*ca);
    } else if (folder != nullptr) {
      find_ca_folder(*folder);
    }
    find_certificate();
    find_details();
  }

  void find_psk(const MosquittoLine& identity, const MosquittoLine& psk) {
    bridge_.psk_identity = identity.value;
    bridge_.psk_from = secret(psk, ".psk", "the pre-shared key of bridge ");
    find_details();
  }

  void leave_out_tls() {
    for (const std::string_view option : {"bridge_certfile", "bridge_keyfile", "bridge_tls_version", "bridge_alpn",
                                          "bridge_insecure", "bridge_identity", "bridge_psk"}) {
      if (const MosquittoLine* line = from_.take(option)) {
        context_.say(
            line->todo("is left out: without bridge_cafile, bridge_capath or a whole pre-shared key there is no "
                       "TLS; mqtts:// in connect turns it on"));
      }
    }
  }

  void find_ca_folder(const MosquittoLine& folder) {
    const std::filesystem::path path = std::filesystem::path(folder.value + "/").lexically_normal();
    if (path == "/etc/ssl/certs/") {
      context_.say(folder.note("is ca: system, the default"));
      return;
    }
    bridge_.tls.ca = bridge_.name + "-ca.crt";
    context_.say(folder.todo("ca is one file: cat " + folder.value + "/*.crt > " + bridge_.name + "-ca.crt"));
  }

  void find_certificate() {
    if (const MosquittoLine* line = from_.take("bridge_certfile")) bridge_.tls.certificate = context_.path_of(*line);
    if (const MosquittoLine* line = from_.take("bridge_keyfile")) bridge_.tls.key = context_.path_of(*line);
  }

  void find_details() {
    if (const MosquittoLine* line = from_.take("bridge_alpn")) bridge_.tls.alpn = {line->value};
    if (const MosquittoLine* line = from_.take("bridge_tls_version")) {
      if (line->word() == "tlsv1.3") {
        bridge_.tls.version_min = TlsVersion::V1_3;
      } else if (line->word() != "tlsv1.2") {
        context_.say(line->todo("nothing older than TLS 1.2 is spoken"));
      }
    }
    const MosquittoLine* const insecure = from_.take("bridge_insecure");
    if (insecure != nullptr && insecure->flag().value_or(false)) {
      context_.say(
          insecure->todo("nothing switches off that the name in the far certificate is looked at: say it in "
                         "tls.server_name, or write pin: sha256/… instead of tls.ca; the reason that the bridge "
                         "shows in its status names the pin"));
    }
  }

  // --- the session ---

  void find_session() {
    if (const MosquittoLine* line = from_.take("bridge_protocol_version")) find_version(*line);
    const bool is_clean = from_.take_flag("cleansession", false, context_.result.remarks);
    const MosquittoLine* const expiry = from_.take("bridge_session_expiry_interval");
    if (is_clean) {
      bridge_.session_expiry = Seconds(0);
    } else if (const auto seconds = context_.count_of(expiry)) {
      const Duration time = Seconds(std::min<std::uint64_t>(*seconds, 0xFFFF'FFFF));
      context_.set_time(*expiry, "bridges[].session_expiry", time, bridge_.session_expiry);
    }
  }

  void find_version(const MosquittoLine& line) {
    if (line.word() == "mqttv50") {
      bridge_.mqtt_version = MqttVersion::V5;
    } else {
      bridge_.mqtt_version = MqttVersion::V311;
      if (line.word() != "mqttv311") context_.say(line.todo("the oldest that a bridge speaks is MQTT 3.1.1"));
    }
  }

  void find_times() {
    const MosquittoLine* const keepalive = from_.take("keepalive_interval");
    if (const auto seconds = context_.count_of(keepalive)) {
      const Duration time = Seconds(std::clamp<std::uint64_t>(*seconds, 5, kInflightMax));
      context_.set_time(*keepalive, "bridges[].keepalive", time, bridge_.keepalive);
    }
    if (const auto bytes = context_.count_of(from_.take("bridge_max_packet_size"))) bridge_.packet_bytes_max = *bytes;
    if (const MosquittoLine* const source = from_.take("bridge_bind_address")) bridge_.source = source->value;
    const MosquittoLine* const restart = from_.take("restart_timeout");
    const auto base = context_.count_of(restart);
    if (!base) return;
    const std::vector<std::string_view> words = words_of(restart->value);
    MosquittoLine cap_line = *restart;
    if (words.size() > 1) cap_line.value = words[1];
    const std::uint64_t cap = context_.count_of(&cap_line).value_or(*base);
    const auto time_of = [](std::uint64_t seconds) -> Duration {
      constexpr std::uint64_t kMost = 86'400;
      return Seconds(std::clamp<std::uint64_t>(seconds, 1, kMost));
    };
    context_.set_time(*restart, "bridges[].backoff.initial", time_of(*base), bridge_.backoff.initial);
    context_.set_time(*restart, "bridges[].backoff.max", time_of(std::max(cap, *base)), bridge_.backoff.max);
  }

  // Mosquitto's defaults are 10 messages and 60 s.
  void set_demand(const MosquittoLine& start) {
    constexpr std::uint64_t kThreshold = 10;
    constexpr std::uint64_t kIdleMost = 86'400;
    const std::uint64_t messages = context_.count_of(from_.take("threshold")).value_or(kThreshold);
    bridge_.demand.messages = std::max<std::uint64_t>(messages, 1);
    const MosquittoLine* const idle = from_.take("idle_timeout");
    if (const auto seconds = context_.count_of(idle)) {
      const Duration time = Seconds(std::clamp<std::uint64_t>(*seconds, 1, kIdleMost));
      context_.set_time(*idle, "bridges[].demand.idle", time, bridge_.demand.idle);
    }
    context_.say(
        start.note("messages that are fewer than demand.messages wait, as in Mosquitto; demand.age bounds how "
                   "long"));
  }

  void find_kind() {
    const MosquittoLine* const start = from_.take("start_type");
    const bool is_lazy = start != nullptr && start->word() == "lazy";
    if (is_lazy) {
      set_demand(*start);
    } else if (start != nullptr && start->word() != "automatic") {
      context_.say(start->todo("a bridge that has lost its connection always connects again"));
    } else {
      for (const std::string_view option : {"idle_timeout", "threshold"}) {
        if (const MosquittoLine* line = from_.take(option)) {
          context_.say(line->note("has no effect in Mosquitto either: start_type is not lazy"));
        }
      }
    }
    const MosquittoLine* const notices = from_.take("notifications");
    if (notices == nullptr) return;
    if (notices->flag().value_or(true)) {
      context_.say(notices->todo("the far side gets no notices; the state of the bridge is on $SYS/furrow/bridge/" +
                                 bridge_.name + " here, which a rule can send up"));
    } else {
      context_.say(notices->note("the far side gets none; here the state of the bridge is shown in any case"));
    }
  }

  // --- topics ---

  void find_topics() {
    bool has_qos0 = false;
    for (const MosquittoLine* line : from_.take_all("topic")) {
      TopicLine topic;
      if (const std::string fault = read_topic(*line, topic); !fault.empty()) {
        context_.say(line->todo(fault + "; left out"));
        continue;
      }
      if (topic.pattern.empty() && !split_single_topic(topic)) {
        context_.say(line->todo("one topic under another name crosses only if both names end alike; left out"));
        continue;
      }
      has_qos0 = has_qos0 || topic.qos == 0;
      add_rule(*line, topic);
    }
    put_remapped_first();
    split_retained();
    if (has_qos0 && !buffers_qos0_) {
      context_.say(
          line_.todo("topics of QoS 0, which is Mosquitto's default, do not wait while the link is down: write "
                     "qos: 1 for what must arrive"));
    }
  }

  void add_rule(const MosquittoLine& line, const TopicLine& topic) {
    TopicRule rule;
    rule.filter = topic.pattern;
    rule.direction = topic.direction;
    rule.qos = topic.qos;
    rule.local_prefix = topic.local_prefix;
    rule.remote_prefix = topic.remote_prefix;
    rule.buffer_qos0 = buffers_qos0_ && rule.goes_up();
    const std::string local = local_filter(rule);
    const bool has_wildcards = (rule.local_prefix + rule.remote_prefix).find_first_of("+#") != std::string::npos;
    if (!has_valid_filters(rule) || has_wildcards || local.starts_with("$share/")) {
      return context_.say(line.todo("makes no topic filter; left out"));
    }
    if (rule.comes_down() && local.starts_with('$')) {
      context_.say(line.todo(in_quotes(local) +
                             " would come down into topics that begin with $, which nobody but the "
                             "gateway writes; left out on the way down: give it another local prefix"));
      if (!rule.goes_up()) return;
      rule.direction = Direction::Up;
    }
    bridge_.topics.push_back(std::move(rule));
  }

  // Mosquitto looks at rules with prefixes first, wherever they stand.
  void put_remapped_first() {
    std::vector<TopicRule>& rules = bridge_.topics;
    bool is_needed = false;
    for (std::size_t later = 1; later < rules.size(); ++later) {
      for (std::size_t earlier = 0; earlier < later && is_remapped(rules[later]); ++earlier) {
        is_needed = is_needed || (!is_remapped(rules[earlier]) && meet(rules[earlier], rules[later]));
      }
    }
    if (!is_needed) return;
    std::stable_partition(rules.begin(), rules.end(), is_remapped);
    context_.say(
        line_.note("topics with prefixes stand first now: of rules that take the same message, the first decides, "
                   "and Mosquitto looks at those with prefixes first"));
  }

  // `bridge_outgoing_retain false` is about the way up alone.
  void split_retained() {
    const MosquittoLine* const line = from_.take("bridge_outgoing_retain");
    if (line == nullptr || line->flag().value_or(true)) return;
    std::vector<TopicRule> rules;
    for (TopicRule& rule : bridge_.topics) {
      if (rule.direction == Direction::Both) {
        TopicRule& down = rules.emplace_back(rule);
        down.direction = Direction::Down;
        down.buffer_qos0 = false;
        rule.direction = Direction::Up;
      }
      if (rule.goes_up()) rule.retain = RetainFlag::Clear;
      rules.push_back(std::move(rule));
    }
    bridge_.topics = std::move(rules);
  }

  MosquittoScope& from_;
  const MosquittoLine& line_;
  const bool buffers_qos0_;
  const ImportContext& context_;
  Bridge bridge_;
  std::vector<SecretFile> secrets_;
  bool is_encrypted_ = false;
};

}  // namespace

void import_bridges(MosquittoScopes& scopes, const ImportContext& context) {
  const MosquittoLine* const queue = scopes.broker.take("queue_qos0_messages");
  const bool buffers_qos0 = queue != nullptr && queue->flag().value_or(false);
  for (MosquittoBridge& from : scopes.bridges) {
    if (std::optional<Bridge> bridge = BridgeTranslation(from, buffers_qos0, context).translate()) {
      context.config().bridges.push_back(*std::move(bridge));
    }
  }
}

}  // namespace furrow::config
