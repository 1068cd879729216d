#include "gateway/cli/control_items.h"

#include <nlohmann/json.hpp>

namespace furrow::gateway {
namespace {

using Json = nlohmann::json;

// An object, or nothing.
std::optional<Json> parse(std::string_view line) {
  Json object = Json::parse(line, nullptr, false);
  return object.is_object() ? std::optional(std::move(object)) : std::nullopt;
}

const Json* find(const Json& object, std::string_view key) {
  const auto found = object.find(key);
  return found != object.end() ? &*found : nullptr;
}

std::optional<std::string> text_in(const Json& object, std::string_view key) {
  const Json* const value = find(object, key);
  return value != nullptr && value->is_string() ? std::optional(value->get<std::string>()) : std::nullopt;
}

std::string text_or_empty(const Json& object, std::string_view key) {
  return text_in(object, key).value_or("");
}

std::uint64_t count_in(const Json& object, std::string_view key) {
  const Json* const value = find(object, key);
  return value != nullptr && value->is_number_unsigned() ? value->get<std::uint64_t>() : 0;
}

std::optional<double> seconds_in(const Json& object, std::string_view key) {
  const Json* const value = find(object, key);
  return value != nullptr && value->is_number() ? std::optional(value->get<double>()) : std::nullopt;
}

bool flag_in(const Json& object, std::string_view key) {
  const Json* const value = find(object, key);
  return value != nullptr && value->is_boolean() && value->get<bool>();
}

}  // namespace

bool is_end_line(std::string_view line) {
  return line.starts_with(R"({"ok":)");
}

std::optional<std::string> read_refusal(std::string_view end) {
  const auto object = parse(end);
  if (!object) return "the gateway's answer is none of this version";
  if (flag_in(*object, "ok")) return std::nullopt;
  return text_in(*object, "error").value_or("the gateway refuses, and does not say why");
}

std::uint64_t read_end_number(std::string_view end, std::string_view key) {
  const auto object = parse(end);
  return object ? count_in(*object, key) : 0;
}

std::string read_end_text(std::string_view end, std::string_view key) {
  const auto object = parse(end);
  return object ? text_or_empty(*object, key) : std::string();
}

std::optional<ClientItem> read_client(std::string_view line) {
  const auto object = parse(line);
  if (!object || !text_in(*object, "client")) return std::nullopt;
  const Json* const queue = find(*object, "queue");
  const Json none = Json::object();
  const Json& queued = queue != nullptr && queue->is_object() ? *queue : none;
  return ClientItem{.client = text_or_empty(*object, "client"),
                    .user = text_in(*object, "user"),
                    .listener = text_or_empty(*object, "listener"),
                    .tls = flag_in(*object, "tls"),
                    .connected = flag_in(*object, "connected"),
                    .address = text_or_empty(*object, "address"),
                    .version = text_or_empty(*object, "version"),
                    .since_at = text_or_empty(*object, "since_at"),
                    .since_s = seconds_in(*object, "since_s").value_or(0),
                    .last_heard_s = seconds_in(*object, "last_heard_s"),
                    .expires_s = seconds_in(*object, "expires_s"),
                    .subscriptions = count_in(*object, "subscriptions"),
                    .queue_messages = count_in(queued, "messages"),
                    .queue_bytes = count_in(queued, "bytes"),
                    .inflight = count_in(queued, "inflight"),
                    .paced = flag_in(*object, "paced"),
                    .dropped = count_in(*object, "dropped")};
}

std::optional<SubscriptionItem> read_subscription(std::string_view line) {
  const auto object = parse(line);
  if (!object || !text_in(*object, "filter")) return std::nullopt;
  return SubscriptionItem{.filter = text_or_empty(*object, "filter"), .qos = count_in(*object, "qos")};
}

std::optional<BridgeItem> read_bridge(std::string_view line) {
  const auto object = parse(line);
  if (!object || !text_in(*object, "bridge")) return std::nullopt;
  return BridgeItem{.bridge = text_or_empty(*object, "bridge"),
                    .state = text_or_empty(*object, "state"),
                    .reason = text_or_empty(*object, "reason"),
                    .since_s = seconds_in(*object, "since_s"),
                    .remote = text_or_empty(*object, "remote"),
                    .paused = flag_in(*object, "paused"),
                    .backlog = count_in(*object, "backlog"),
                    .bytes = count_in(*object, "bytes"),
                    .inflight = count_in(*object, "inflight"),
                    .on_disk = count_in(*object, "on_disk"),
                    .quarantined = count_in(*object, "quarantined"),
                    .oldest_s = seconds_in(*object, "oldest_s")};
}

std::optional<MessageItem> read_message(std::string_view line) {
  const auto object = parse(line);
  if (!object || !text_in(*object, "topic")) return std::nullopt;
  return MessageItem{.topic = text_or_empty(*object, "topic"),
                     .qos = count_in(*object, "qos"),
                     .bytes = count_in(*object, "bytes"),
                     .payload = text_in(*object, "payload"),
                     .payload_base64 = text_in(*object, "payload_base64"),
                     .age_s = seconds_in(*object, "age_s").value_or(0),
                     .expires_s = seconds_in(*object, "expires_s"),
                     .state = text_or_empty(*object, "state")};
}

}  // namespace furrow::gateway
