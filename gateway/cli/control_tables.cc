#include "gateway/cli/control_tables.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "broker-core/base/printable.h"
#include "gateway/cli/status_table.h"
#include "gateway/cli/table_text.h"

namespace furrow::gateway {
namespace {

std::string heading(std::string_view text, bool colour) {
  return painted(text, kBold, colour);
}

// A payload of any length, on a line.
constexpr std::size_t kPayloadBytesMax = 4096;

enum class Side : std::uint8_t { Left, Right };

// A cell and its column; a column of width 0 takes the rest of the line.
struct Cell {
  std::string text;
  std::size_t width;
  Side side = Side::Left;
};

std::string row(const std::vector<Cell>& cells) {
  std::string line;
  for (const Cell& one : cells) {
    if (!line.empty()) line += ' ';
    const std::size_t room = one.width > 0 ? one.width : kColumns - 1 - std::min(kColumns - 2, width(line));
    line += one.side == Side::Left ? left(one.text, room) : right(one.text, room);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

std::string client_row(const std::vector<std::string>& cells) {
  // 18 + 12 + 10 + 5 + 6 + 6 + 5 + 5 + 5, and a blank between two: 80.
  return row({{cells[0], 18},
              {cells[1], 12},
              {cells[2], 10},
              {cells[3], 5},
              {cells[4], 6, Side::Right},
              {cells[5], 6, Side::Right},
              {cells[6], 5, Side::Right},
              {cells[7], 5, Side::Right},
              {cells[8], 5, Side::Right}});
}

std::string bridge_row(const std::vector<std::string>& cells) {
  return row({{cells[0], 14},
              {cells[1], 10},
              {cells[2], 6, Side::Right},
              {cells[3], 7, Side::Right},
              {cells[4], 8, Side::Right},
              {cells[5], 0}});
}

std::string buffer_row(const std::vector<std::string>& cells) {
  return row({{cells[0], 16},
              {cells[1], 10},
              {cells[2], 8, Side::Right},
              {cells[3], 9, Side::Right},
              {cells[4], 8, Side::Right},
              {cells[5], 6, Side::Right},
              {cells[6], 8, Side::Right},
              {cells[7], 7, Side::Right}});
}

std::string sheet_line(std::string_view what, const std::string& value) {
  return left(what, 14) + value + "\n";
}

std::string connection_lines(const ClientItem& client) {
  const std::string since = shown(client.since_at) + " (" + short_time(client.since_s) + ")";
  if (!client.connected) {
    return sheet_line("away", "since " + since) +
           sheet_line("expires", client.expires_s ? "in " + short_time(*client.expires_s) : "never");
  }
  return sheet_line("address", shown(client.address)) + sheet_line("version", "MQTT " + shown(client.version)) +
         sheet_line("connected", "since " + since) +
         sheet_line("last heard", time_or_none(client.last_heard_s) + " ago") +
         sheet_line("paced", client.paced ? "yes, by limits.publish" : "no");
}

}  // namespace

std::string client_table(const std::vector<ClientItem>& clients, bool colour) {
  std::string all =
      heading(client_row({"CLIENT", "USER", "LISTENER", "MQTT", "SINCE", "HEARD", "SUBS", "QUEUE", "DROPS"}), colour);
  for (const ClientItem& one : clients) {
    all += client_row({shown(one.client), one.user ? shown(*one.user) : "-", shown(one.listener),
                       one.connected ? shown(one.version) : "away", short_time(one.since_s),
                       time_or_none(one.last_heard_s), short_count(one.subscriptions), short_count(one.queue_messages),
                       short_count(one.dropped)});
  }
  return all;
}

std::string client_sheet(const ClientItem& client, const std::vector<SubscriptionItem>& subscriptions) {
  std::string all = sheet_line("client", shown(client.client));
  all += sheet_line("user", client.user ? shown(*client.user) : "anonymous");
  all += sheet_line("listener", (client.listener.empty() ? "not known" : shown(client.listener)) +
                                    std::string(client.tls ? " (TLS)" : ""));
  all += connection_lines(client);
  all += sheet_line("queue", counted(client.queue_messages, "message") + ", " + short_size(client.queue_bytes) + ", " +
                                 std::to_string(client.inflight) + " in flight");
  all += sheet_line("dropped", std::to_string(client.dropped));
  all += sheet_line("subscriptions", std::to_string(client.subscriptions));
  for (const SubscriptionItem& one : subscriptions) {
    all += "  " + shown(one.filter) + "  QoS " + std::to_string(one.qos) + "\n";
  }
  return all;
}

std::string bridge_table(const std::vector<BridgeItem>& bridges, bool colour) {
  std::string all = heading(bridge_row({"BRIDGE", "STATE", "SINCE", "BACKLOG", "SIZE", "REMOTE"}), colour);
  for (const BridgeItem& one : bridges) {
    all += bridge_row({shown(one.bridge), shown(one.state), time_or_none(one.since_s), short_count(one.backlog),
                       short_size(one.bytes), shown(one.remote)});
    all += wrapped(shown(one.reason), "  ");
  }
  return all;
}

std::string buffer_table(const std::vector<BridgeItem>& bridges, bool colour) {
  std::string all =
      heading(buffer_row({"BRIDGE", "STATE", "WAITING", "IN FLIGHT", "SIZE", "OLDEST", "ON DISK", "ASIDE"}), colour);
  for (const BridgeItem& one : bridges) {
    all += buffer_row({shown(one.bridge), shown(one.state), short_count(one.backlog), short_count(one.inflight),
                       short_size(one.bytes), time_or_none(one.oldest_s), short_count(one.on_disk),
                       short_count(one.quarantined)});
  }
  return all;
}

std::string retained_heading(bool colour) {
  return heading(
      row({{"QOS", 3}, {"SIZE", 8, Side::Right}, {"AGE", 6, Side::Right}, {"EXPIRES", 7, Side::Right}, {"TOPIC", 0}}),
      colour);
}

std::string retained_line(const MessageItem& message) {
  std::string line = row({{std::to_string(message.qos), 3},
                          {short_size(message.bytes), 8, Side::Right},
                          {short_time(message.age_s), 6, Side::Right},
                          {time_or_none(message.expires_s), 7, Side::Right}});
  line.back() = ' ';
  return line + printable(message.topic, kPayloadBytesMax) + "\n";
}

std::string payload_line(const MessageItem& message) {
  const std::string payload =
      message.payload ? *message.payload : "base64:" + message.payload_base64.value_or(std::string());
  return printable(message.topic, kPayloadBytesMax) + " " + printable(payload, kPayloadBytesMax) + "\n";
}

std::string waiting_heading(bool colour) {
  return heading(row({{"QOS", 3}, {"AGE", 6, Side::Right}, {"STATE", 8}, {"TOPIC AND PAYLOAD", 0}}), colour);
}

std::string waiting_line(const MessageItem& message) {
  const std::string text = payload_line(message);
  return row({{std::to_string(message.qos), 3},
              {short_time(message.age_s), 6, Side::Right},
              {message.state, 8},
              {text.substr(0, text.size() - 1), 0}});
}

}  // namespace furrow::gateway
