// The lines that a gateway answers to a command, read back: as values that a table shows.
//
// Only what is shown is read. Fields that a gateway of another version does not have are as good as unknown.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace furrow::gateway {

// Whether the line is the end of an answer.
bool is_end_line(std::string_view line);
// Why, where the end is a refusal. A line that nobody can read is one.
std::optional<std::string> read_refusal(std::string_view end);
// A number of the end; 0 where there is none. And a text.
std::uint64_t read_end_number(std::string_view end, std::string_view key);
std::string read_end_text(std::string_view end, std::string_view key);

struct ClientItem {
  std::string client;
  std::optional<std::string> user;  // nothing: anonymous
  std::string listener;
  bool tls = false;
  bool connected = false;
  std::string address;
  std::string version;  // of MQTT
  std::string since_at;
  double since_s = 0;
  std::optional<double> last_heard_s;
  std::optional<double> expires_s;
  std::uint64_t subscriptions = 0;
  std::uint64_t queue_messages = 0;
  std::uint64_t queue_bytes = 0;
  std::uint64_t inflight = 0;
  bool paced = false;
  std::uint64_t dropped = 0;
};

struct SubscriptionItem {
  std::string filter;
  std::uint64_t qos = 0;
};

struct BridgeItem {
  std::string bridge;
  std::string state;
  std::string reason;
  std::optional<double> since_s;
  std::string remote;
  bool paused = false;
  std::uint64_t backlog = 0;  // messages
  std::uint64_t bytes = 0;
  std::uint64_t inflight = 0;
  std::uint64_t on_disk = 0;
  std::uint64_t quarantined = 0;
  std::optional<double> oldest_s;
};

// A message that is retained, or that waits in a buffer.
struct MessageItem {
  std::string topic;
  std::uint64_t qos = 0;
  std::uint64_t bytes = 0;             // of a retained one's payload
  std::optional<std::string> payload;  // where it was asked for and is text
  std::optional<std::string> payload_base64;
  double age_s = 0;
  std::optional<double> expires_s;
  std::string state;  // in a buffer: `waiting` or `inflight`
};

// Nothing when the line is none.
std::optional<ClientItem> read_client(std::string_view line);
std::optional<SubscriptionItem> read_subscription(std::string_view line);
std::optional<BridgeItem> read_bridge(std::string_view line);
std::optional<MessageItem> read_message(std::string_view line);

}  // namespace furrow::gateway
