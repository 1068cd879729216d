#include "gateway/control/trace.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "broker-core/base/utc_text.h"
#include "broker-core/mqtt/topic.h"
#include "gateway/control/packet_json.h"

namespace furrow::gateway {
namespace {

constexpr TraceDirection opposite(TraceDirection direction) {
  return direction == TraceDirection::Sent ? TraceDirection::Received : TraceDirection::Sent;
}

std::string_view direction_name(TraceDirection direction) {
  return direction == TraceDirection::Sent ? "sent" : "received";
}

}  // namespace

// --- what is wanted ---

bool Trace::may_want(const TraceParty& party) const {
  return wants(party) || (!party.is_bridge && party.name.empty() && choice_.bridge.empty());
}

bool Trace::wants(const TraceParty& party) const {
  if (!choice_.bridge.empty()) return party.is_bridge && party.name == choice_.bridge;
  if (party.is_bridge) return choice_.client.empty() && !choice_.address;
  if (!choice_.client.empty() && party.name != choice_.client) return false;
  return !choice_.address || (party.ip && choice_.address->contains(*party.ip));
}

bool Trace::concerns(std::string_view filter) const {
  mqtt::SharedFilter shared;
  mqtt::parse_shared(filter, shared);
  return mqtt::is_valid_filter(shared.filter) && mqtt::overlaps(choice_.filter, shared.filter);
}

std::uint64_t Trace::key_of(std::uint64_t link, TraceDirection direction, PacketId id) {
  return link << 17U | static_cast<std::uint64_t>(direction) << 16U | id.value;
}

void Trace::expect(const Sighting& seen, PacketId id) {
  if (id && expected_.size() < kExpectedMax) expected_.insert(key_of(seen.party.link, seen.direction, id));
}

bool Trace::is_expected(const Sighting& seen, PacketId id, bool is_last) {
  const std::uint64_t key = key_of(seen.party.link, opposite(seen.direction), id);
  return is_last ? expected_.erase(key) > 0 : expected_.contains(key);
}

bool Trace::wants_packet(const Sighting& seen, const mqtt::Packet& packet, std::string_view topic) {
  if (wants_everything()) return true;
  if (const auto* publish = std::get_if<mqtt::Publish>(&packet)) {
    if (!mqtt::is_valid_name(topic) || !mqtt::matches(choice_.filter, topic)) return false;
    expect(seen, publish->packet_id);
    return true;
  }
  if (const auto* subscribe = std::get_if<mqtt::Subscribe>(&packet)) {
    if (std::ranges::none_of(subscribe->requests, [this](const auto& one) { return concerns(one.filter); }))
      return false;
    expect(seen, subscribe->packet_id);
    return true;
  }
  if (const auto* unsubscribe = std::get_if<mqtt::Unsubscribe>(&packet)) {
    if (std::ranges::none_of(unsubscribe->filters, [this](std::string_view one) { return concerns(one); }))
      return false;
    expect(seen, unsubscribe->packet_id);
    return true;
  }
  if (const auto* connect = std::get_if<mqtt::Connect>(&packet)) {
    return connect->will && mqtt::is_valid_name(connect->will->topic) &&
           mqtt::matches(choice_.filter, connect->will->topic);
  }
  if (const auto* puback = std::get_if<mqtt::Puback>(&packet)) return is_expected(seen, puback->packet_id, true);
  if (const auto* pubrec = std::get_if<mqtt::Pubrec>(&packet)) {
    return is_expected(seen, pubrec->packet_id, mqtt::is_error(pubrec->reason));
  }
  if (const auto* pubrel = std::get_if<mqtt::Pubrel>(&packet)) {  // it goes the way of the PUBLISH
    return expected_.contains(key_of(seen.party.link, seen.direction, pubrel->packet_id));
  }
  if (const auto* pubcomp = std::get_if<mqtt::Pubcomp>(&packet)) return is_expected(seen, pubcomp->packet_id, true);
  if (const auto* suback = std::get_if<mqtt::Suback>(&packet)) return is_expected(seen, suback->packet_id, true);
  if (const auto* unsuback = std::get_if<mqtt::Unsuback>(&packet)) return is_expected(seen, unsuback->packet_id, true);
  return false;
}

// --- lines ---

bool Trace::has_room() {
  if (is_complete()) return false;
  is_short_ = waiting_.size() >= (is_short_ ? kWaitingBytesMax / 2 : kWaitingBytesMax);
  if (!is_short_) return true;
  ++lost_;
  ++not_shown_;
  return false;
}

JsonObject Trace::begin_line(const Sighting& seen) const {
  JsonObject object;
  object.text("time", utc_text(seen.time)).text(seen.party.is_bridge ? "bridge" : "client", seen.party.name);
  object.text("address", seen.party.address);
  return object;
}

void Trace::say_lost() {
  if (lost_ == 0) return;
  waiting_.append(JsonObject().number("not_shown", std::exchange(lost_, 0)).str());
  waiting_.push_back('\n');
}

void Trace::add_line(const std::string& line) {
  say_lost();
  waiting_.append(line);
  waiting_.push_back('\n');
}

void Trace::show(const Sighting& seen, const mqtt::Packet& packet, std::string_view topic) {
  if (!wants(seen.party) || !wants_packet(seen, packet, topic) || !has_room()) return;
  JsonObject object = begin_line(seen);
  object.text("direction", direction_name(seen.direction));
  add_packet(object, {.packet = packet, .topic = topic, .payload = choice_.payloads});
  add_line(object.str());
  ++shown_;
}

void Trace::show_malformed(const Sighting& seen, const mqtt::ProtocolError& error) {
  if (!wants(seen.party) || !wants_everything() || !has_room()) return;
  JsonObject object = begin_line(seen);
  object.text("direction", direction_name(seen.direction)).text("packet", "malformed");
  object.number("reason_code", static_cast<std::uint64_t>(error.reason)).text("reason", error.what);
  add_line(object.str());
  ++shown_;
}

void Trace::show_end(const Sighting& seen, std::string_view reason) {
  if (!wants(seen.party) || !wants_everything() || !has_room()) return;
  add_line(begin_line(seen).text("event", "ended").text("reason", reason).str());
}

void Trace::take_lines(ByteBuffer& out, std::size_t bytes_max) {
  if (waiting_.empty()) say_lost();
  std::string_view lines = as_text(waiting_.view());
  if (lines.size() > bytes_max) lines = lines.substr(0, lines.find('\n', bytes_max) + 1);
  out.append(lines);
  waiting_.consume(lines.size());
  if (waiting_.empty()) waiting_.release();
}

}  // namespace furrow::gateway
