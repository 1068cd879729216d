// What holds for the broker as a whole: limits, sessions, the store, the log.
#include <algorithm>
#include <chrono>
#include <map>
#include <optional>

#include "config/import/import_context.h"
#include "config/messages.h"

namespace furrow::config {
namespace {

using std::chrono::days;
using std::chrono::hours;

// `14d`, in units of Mosquitto: a month has 30 days.
std::optional<Duration> expiration_of(std::string_view text) {
  static const std::map<char, Duration> kUnits{
      {'h', hours(1)}, {'d', days(1)}, {'w', days(7)}, {'m', days(30)}, {'y', days(365)}};
  if (text.empty()) return std::nullopt;
  const auto unit = kUnits.find(text.back());
  MosquittoLine line;
  line.value = text.substr(0, text.size() - 1);
  const std::optional<std::int64_t> number = line.number_value();
  constexpr std::int64_t kMost = 10'000;  // years are the longest, and more than the key takes
  if (unit == kUnits.end() || !number || *number <= 0) return std::nullopt;
  return std::min(*number, kMost) * unit->second;
}

class BrokerTranslation {
 public:
  BrokerTranslation(MosquittoScope& from, const ImportContext& context)
      : from_(from), context_(context), config_(context.config()) {}

  void translate() {
    translate_limits();
    translate_queue();
    translate_packets();
    translate_sessions();
    translate_store();
    translate_log();
    translate_rest();
  }

 private:
  void translate_limits() {
    const auto count = [&](std::string_view option, std::string_view key, auto& slot) {
      const MosquittoLine* const line = from_.take(option);
      if (const auto number = context_.count_of(line)) context_.set_count(*line, key, *number, slot);
    };
    count("global_max_connections", "limits.connections", config_.limits.connections_max);
    count("global_max_clients", "limits.sessions", config_.limits.sessions_max);
    count("max_inflight_messages", "limits.inflight", config_.limits.inflight_max);
    // Without a limit it is that of MQTT, as if the file had said so.
    if (config_.limits.inflight_max == 0) config_.limits.inflight_max = kInflightMax;
    const MosquittoLine* const memory = from_.take("memory_limit");
    if (const auto bytes = context_.count_of(memory)) {
      context_.set_bytes(*memory, "limits.memory", *bytes, config_.limits.memory_bytes_max);
    }
  }

  void translate_queue() {
    SessionQueue& queue = config_.sessions.queue;
    const MosquittoLine* const messages = from_.take("max_queued_messages");
    if (const auto number = context_.count_of(messages)) {
      context_.set_count(*messages, "sessions.queue.messages", *number, queue.messages_max);
    }
    const MosquittoLine* const bytes = from_.take("max_queued_bytes");
    if (const auto number = context_.count_of(bytes)) {
      context_.set_bytes(*bytes, "sessions.queue.bytes", *number, queue.bytes_max);
    }
    for (const MosquittoLine* line : {messages, bytes}) {
      if (line == nullptr) continue;
      context_.say(
          line->note("holds for the queues of clients; what waits for a bridge has limits of its own (buffer)"));
    }
    if (messages != nullptr || bytes != nullptr) {
      // Mosquitto keeps what waits already.
      queue.when_full = WhenFull::DropNewest;
    }
  }

  void translate_packets() {
    constexpr std::uint64_t kHeadBytes = 2 * KiB;  // a topic of up to 1 KiB, and properties
    std::optional<std::uint64_t> bytes;
    const MosquittoLine* const payload = from_.take("message_size_limit");
    if (const auto number = context_.count_of(payload); number && *number != 0) {
      bytes = *number + kHeadBytes;
      context_.say(payload->note("counts payloads; limits.packet counts packets, which are a little longer"));
    }
    const MosquittoLine* const packet = from_.take("max_packet_size");
    if (const auto number = context_.count_of(packet)) bytes = std::min(bytes.value_or(*number), *number);
    if (bytes) {
      const MosquittoLine& line = packet != nullptr ? *packet : *payload;
      context_.set_bytes(line, "limits.packet", std::max<std::uint64_t>(*bytes, KiB), config_.limits.packet_bytes_max);
    } else {
      unsaid("max_packet_size", "Mosquitto 2.0 takes packets of up to 256 MiB, furrow of up to 1 MiB (limits.packet)");
    }
  }

  void translate_sessions() {
    const MosquittoLine* const keepalive = from_.take("max_keepalive");
    if (const auto seconds = context_.count_of(keepalive)) {
      const Duration time = Seconds(std::min<std::uint64_t>(*seconds, kInflightMax));
      context_.set_time(*keepalive, "sessions.keepalive_max", time, config_.sessions.keepalive_max);
    }
    const MosquittoLine* const expiration = from_.take("persistent_client_expiration");
    if (expiration == nullptr) {
      return unsaid("persistent_client_expiration",
                    "Mosquitto keeps the sessions of clients that are away for good, furrow for 7 days "
                    "(sessions.expiry_max)");
    }
    if (const std::optional<Duration> time = expiration_of(expiration->word())) {
      context_.set_time(*expiration, "sessions.expiry_max", *time, config_.sessions.expiry_max);
    } else {
      context_.say(expiration->todo("is no number with h, d, w, m or y behind it; left out"));
    }
  }

  void translate_store() {
    const MosquittoLine* const persistence = from_.take("persistence");
    if (persistence != nullptr && !persistence->flag().value_or(true)) {
      context_.say(persistence->todo("furrow always keeps sessions and retained messages over a restart, on disk"));
    }
    const MosquittoLine* const location = from_.take("persistence_location");
    if (location == nullptr) return;
    const std::filesystem::path path = std::filesystem::path(location->value).lexically_normal();
    const bool is_standard = path == "/var/lib/mosquitto" || path == "/var/lib/mosquitto/";
    if (!is_standard) config_.gateway.data = (context_.path_of(*location) / "furrow").lexically_normal();
    context_.say(location->todo("the store is " + config_.gateway.data.string() +
                                ", and begins empty: what mosquitto.db holds is not taken over"));
  }

  void translate_log() {
    const std::vector<const MosquittoLine*> types = from_.take_all("log_type");
    if (!types.empty()) config_.log.level = level_of(types);
    for (const MosquittoLine* line : from_.take_all("log_dest")) {
      const std::string_view where = line->word();
      if (where == "stderr" || where == "stdout" || where == "syslog") {
        context_.say(line->note("the log goes to standard error, and from there to the journal"));
      } else {
        context_.say(
            line->todo("the log goes to standard error, and from there to the journal (journalctl -u furrow)"));
      }
    }
  }

  LogLevel level_of(const std::vector<const MosquittoLine*>& types) {
    LogLevel level = LogLevel::Error;
    const auto at_least = [&level](LogLevel one) { level = std::max(level, one); };
    for (const MosquittoLine* line : types) {
      const std::string_view type = line->word();
      if (type == "all" || type == "debug" || type == "internal") {
        at_least(LogLevel::Debug);
      } else if (type == "warning") {
        at_least(LogLevel::Warning);
      } else if (type == "none") {
        context_.say(line->todo("errors are logged in any case"));
      } else if (type != "error") {
        at_least(LogLevel::Info);
      }
    }
    return level;
  }

  void translate_rest() {
    const MosquittoLine* const interval = from_.take("sys_interval");
    if (const auto seconds = context_.count_of(interval)) {
      const Duration time = Seconds(std::min<std::uint64_t>(*seconds, 86'400));
      context_.set_time(*interval, "status.interval", time, config_.status.interval);
    }
    if (const MosquittoLine* line = from_.take("retain_available"); line != nullptr && line->flag() == false) {
      context_.say(line->todo("retained messages are taken; access.rules with retain: false refuse them"));
    }
    // For bridges it is a matter of each rule.
    if (const MosquittoLine* line = from_.take("queue_qos0_messages"); line != nullptr && line->flag() == true) {
      context_.say(line->todo("QoS 0 does not wait for clients that are away; for bridges it does (buffer_qos0)"));
    }
  }

  // What Mosquitto does where nothing is said, and furrow does not.
  void unsaid(const std::string& option, const std::string& text) {
    context_.say({Remark::Kind::Note, context_.name, 0, option, "is not there: " + text});
  }

  MosquittoScope& from_;
  const ImportContext& context_;
  Config& config_;
};

}  // namespace

void import_broker(MosquittoScopes& scopes, const ImportContext& context) {
  BrokerTranslation(scopes.broker, context).translate();
}

}  // namespace furrow::config
