#include "gateway/cli/status_reader.h"

#include <string_view>
#include <utility>

#include "broker-core/base/printable.h"

namespace furrow::gateway {
namespace {

constexpr std::string_view kBridgePrefix = "$SYS/furrow/bridge/";
constexpr std::string_view kAlarmsTopic = "$SYS/furrow/alarms";
constexpr std::string_view kGatewayTopic = "$SYS/furrow/gateway";

}  // namespace

StatusReader::StatusReader(uv_loop_t& loop, Resolver& resolver, Options options, Events events)
    : username_(options.username),
      events_(std::move(events)),
      reader_(loop, resolver,
              {.address = std::move(options.address),
               .username = std::move(options.username),
               .password = std::move(options.password),
               .ca = std::move(options.ca),
               .pins = std::move(options.pins),
               .patience = kPatience},
              {.on_connected = [this] { refresh(); },
               .on_suback = [this](mqtt::ReasonCode reason) { handle_suback(reason); },
               .on_message = [this](const mqtt::Publish& publish) { handle_message(publish); },
               .on_failed = [this](std::string why) { events_.on_failed(std::move(why)); }}) {}

void StatusReader::refresh() {
  documents_ = {};
  reader_.expect_answer();
  reader_.subscribe(std::string(kBridgePrefix) + "+");
  reader_.subscribe(kAlarmsTopic);
  reader_.subscribe(kGatewayTopic);
}

void StatusReader::handle_suback(mqtt::ReasonCode reason) {
  if (reason == mqtt::ReasonCode::GrantedQos0) return;
  reader_.fail("it does not let " + (username_ ? "'" + printable(*username_, 64) + "'" : "an anonymous client") +
               " read $SYS/furrow/#: see access.rules" + (username_ ? "" : ", or give --username"));
}

void StatusReader::handle_message(const mqtt::Publish& publish) {
  if (publish.topic.starts_with(kBridgePrefix)) {
    const std::string name(publish.topic.substr(kBridgePrefix.size()));
    if (publish.payload.empty()) {
      documents_.bridges.erase(name);
    } else {
      documents_.bridges[name] = as_text(publish.payload);
    }
    return;
  }
  if (publish.topic == kAlarmsTopic) {
    documents_.alarms = as_text(publish.payload);
    return;
  }
  documents_.gateway = as_text(publish.payload);
  // What is published by itself meanwhile is not an answer.
  if (!publish.retain) return;
  reader_.answered();
  events_.on_documents(documents_);
}

}  // namespace furrow::gateway
