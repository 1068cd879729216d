#include "gateway/control/bridge_item.h"

namespace furrow::gateway {
namespace {

std::string addresses_json(const std::vector<bridge::Address>& addresses) {
  std::string list;
  for (const bridge::Address& one : addresses) {
    if (!list.empty()) list += ',';
    append_json_string(list, one.url());
  }
  return "[" + list + "]";
}

void add_link(JsonObject& item, const bridge::Bridge* bridge, std::string_view why_not, Instant now) {
  if (bridge == nullptr) {
    item.text("state", "disabled").text("reason", why_not).null("since_s").null("remote").raw("addresses", "[]");
    return;
  }
  const bridge::Snapshot snapshot = bridge->snapshot();
  item.text("state", name(snapshot.state)).text("reason", snapshot.reason).seconds("since_s", now - snapshot.since);
  item.text("remote", snapshot.remote).raw("addresses", addresses_json(bridge->addresses()));
}

}  // namespace

JsonObject bridge_item(const bridge::Buffer& buffer, const bridge::Bridge* bridge, std::string_view why_not,
                       Instant now) {
  bridge::Snapshot held;
  buffer.describe(held);
  JsonObject item;
  item.text("bridge", buffer.name());
  add_link(item, bridge, why_not, now);
  item.flag("paused", buffer.pause().has_value());
  item.number("backlog", held.backlog_messages).number("bytes", held.backlog_bytes);
  item.number("inflight", held.inflight).number("on_disk", held.disk_messages);
  item.number("quarantined", held.quarantined);
  item.seconds_or_null("oldest_s", held.oldest ? std::optional(now - *held.oldest) : std::nullopt);
  return item;
}

std::optional<std::size_t> find_address(const std::vector<bridge::Address>& addresses, std::string_view named) {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const bridge::Address& one = addresses[i];
    if (one.url() == named) return i;
    if (one.text() != named && one.host != named) continue;
    if (found) return std::nullopt;
    found = i;
  }
  return found;
}

std::string address_list(const std::vector<bridge::Address>& addresses) {
  std::string list;
  for (const bridge::Address& one : addresses) list += (list.empty() ? "" : ", ") + one.url();
  return list;
}

}  // namespace furrow::gateway
