#include "gateway/control/desk.h"

#include <utility>

#include "gateway/control/bridge_item.h"
#include "gateway/control/buffer_answers.h"
#include "gateway/control/retained_answers.h"

namespace furrow::gateway {
namespace {

std::unique_ptr<Answer> done(JsonObject end = JsonObject().flag("ok", true)) {
  return std::make_unique<ShortAnswer>(end);
}

// Lines that are few, and made at once.
class ItemsAnswer final : public Answer {
 public:
  void add(const JsonObject& item) {
    write_line(items_, item);
    ++count_;
  }
  Step next(ByteBuffer& out, Instant) override {
    out.append(items_.view());
    write_line(out, JsonObject().flag("ok", true).number("count", count_));
    return Step::Done;
  }

 private:
  ByteBuffer items_;
  std::uint64_t count_ = 0;
};

}  // namespace

std::unique_ptr<Answer> Desk::ask(std::string_view line, std::uint32_t uid, Instant now) {
  const Result<ControlRequest> request = parse_request(line);
  return request ? answer(*request, uid, now) : refusal(request.error().message());
}

std::unique_ptr<Answer> Desk::answer(const ControlRequest& request, std::uint32_t uid, Instant now) {
  using Depth = RetainedListAnswer::Depth;
  const auto retained = [&](Depth depth) {
    return std::make_unique<RetainedListAnswer>(broker(), RetainedChoice{request.filter, request.older}, depth);
  };
  switch (request.command) {
    case ControlCommand::ClientsList:
      return std::make_unique<ClientListAnswer>(broker(), world_.has_tls);
    case ControlCommand::ClientsShow:
      return std::make_unique<ClientShowAnswer>(broker(), world_.has_tls, request.client);
    case ControlCommand::ClientsKick:
      return kick(request, uid, now);
    case ControlCommand::ClientsForget:
      return forget(request, uid, now);
    case ControlCommand::BridgeList:
      return list_bridges(now);
    case ControlCommand::BridgePause:
      return pause(request, uid, now);
    case ControlCommand::BridgeResume:
      return resume(request, uid, now);
    case ControlCommand::BridgeReconnect:
    case ControlCommand::BridgeUse:
      return reconnect(request, uid, now);
    case ControlCommand::RetainedList:
      return retained(Depth::Topics);
    case ControlCommand::RetainedShow:
      return retained(Depth::Payloads);
    case ControlCommand::RetainedCount:
      return retained(Depth::Count);
    case ControlCommand::RetainedDelete:
      return erase_retained(request, uid);
    case ControlCommand::BufferShow: {
      const bridge::Buffer* const buffer = find_buffer(request.bridge);
      if (buffer == nullptr) return refusal(no_bridge(request.bridge));
      using What = BufferShowAnswer::What;
      return std::make_unique<BufferShowAnswer>(*buffer, request.quarantine ? What::Quarantine : What::Waiting,
                                                broker(), request.limit);
    }
    case ControlCommand::BufferReplay:
      return replay(request, uid, now);
    case ControlCommand::Trace:
      return trace(request, uid, now);
    case ControlCommand::BufferPurge:
      break;
  }
  return purge(request, uid, now);
}

// --- clients ---

std::unique_ptr<Answer> Desk::kick(const ControlRequest& request, std::uint32_t uid, Instant now) {
  if (!broker().kick(request.client, now)) return refusal(in_quotes(request.client) + " is not connected");
  world_.log.write(LogLevel::Info, "operator.kick", {{"client", request.client}, {"uid", std::uint64_t{uid}}});
  return done();
}

std::unique_ptr<Answer> Desk::forget(const ControlRequest& request, std::uint32_t uid, Instant now) {
  if (!broker().forget(request.client, now)) return refusal("there is no client " + in_quotes(request.client));
  world_.log.write(LogLevel::Info, "operator.forget", {{"client", request.client}, {"uid", std::uint64_t{uid}}});
  return when_durable(JsonObject().flag("ok", true));
}

// --- bridges ---

bridge::Buffer* Desk::find_buffer(std::string_view name) {
  bridge::Buffer* found = nullptr;
  world_.engine.buffers().for_each([&](bridge::Buffer& one) {
    if (one.name() == name) found = &one;
  });
  if (found == nullptr && world_.has_bridge(name)) found = &world_.engine.buffers().of(std::string(name));
  return found;
}

std::string Desk::no_bridge(std::string_view name) const {
  return "there is no bridge " + in_quotes(name);
}

std::unique_ptr<Answer> Desk::list_bridges(Instant now) {
  auto list = std::make_unique<ItemsAnswer>();
  world_.engine.buffers().for_each([&](const bridge::Buffer& buffer) {
    const bridge::Bridge* const bridge = world_.engine.find_bridge(buffer.name());
    const std::string_view why_not =
        !world_.has_bridge(buffer.name()) ? "not in configuration" : "the gateway is stopped";
    list->add(bridge_item(buffer, bridge, why_not, now));
  });
  return list;
}

std::unique_ptr<Answer> Desk::pause(const ControlRequest& request, std::uint32_t uid, Instant now) {
  if (!world_.has_bridge(request.bridge)) return refusal(no_bridge(request.bridge));
  bridge::Buffer& buffer = *find_buffer(request.bridge);
  const bridge::Bridge* const bridge = world_.engine.find_bridge(request.bridge);
  const std::string rests = bridge != nullptr ? bridge->rest_reason() : std::string();
  if (!rests.empty() && !buffer.pause()) return refusal("the bridge does not run: " + rests);
  const std::string length = request.length ? std::to_string(request.length->count()) + "s" : "ever";
  world_.log.write(LogLevel::Info, "operator.pause",
                   {{"bridge", request.bridge}, {"for", length}, {"uid", std::uint64_t{uid}}});
  return set_pause(
      buffer,
      bridge::Pause{.since = broker().journal().stamp(now), .length = request.length.value_or(std::chrono::seconds(0))},
      now);
}

std::unique_ptr<Answer> Desk::resume(const ControlRequest& request, std::uint32_t uid, Instant now) {
  bridge::Buffer* const buffer = find_buffer(request.bridge);
  if (buffer == nullptr) return refusal(no_bridge(request.bridge));
  if (!buffer->pause()) return refusal("the bridge " + in_quotes(request.bridge) + " is not paused");
  world_.log.write(LogLevel::Info, "operator.resume", {{"bridge", request.bridge}, {"uid", std::uint64_t{uid}}});
  return set_pause(*buffer, std::nullopt, now);
}

std::unique_ptr<Answer> Desk::set_pause(bridge::Buffer& buffer, std::optional<bridge::Pause> pause, Instant now) {
  buffer.set_pause(pause);
  if (bridge::Bridge* const bridge = world_.engine.find_bridge(buffer.name())) bridge->handle_pause_changed(now);
  JsonObject end = JsonObject().flag("ok", true);
  if (pause) end.text("reason", pause->reason());
  return when_durable(std::move(end));
}

std::unique_ptr<Answer> Desk::reconnect(const ControlRequest& request, std::uint32_t uid, Instant now) {
  bridge::Bridge* const bridge = world_.engine.find_bridge(request.bridge);
  if (bridge == nullptr) return refusal(no_bridge(request.bridge));
  if (const std::string rests = bridge->rest_reason(); !rests.empty()) {
    return refusal("the bridge wants no connection: " + rests);
  }
  std::optional<std::size_t> place;
  if (request.command == ControlCommand::BridgeUse) {
    place = find_address(bridge->addresses(), request.address);
    if (!place) {
      return refusal(in_quotes(request.address) +
                     " is not one of its addresses, or fits several: " + address_list(bridge->addresses()));
    }
  }
  const std::string remote = bridge->addresses()[place.value_or(0)].url();
  world_.log.write(LogLevel::Info, place ? "operator.use" : "operator.reconnect",
                   {{"bridge", request.bridge}, {"remote", remote}, {"uid", std::uint64_t{uid}}});
  bridge->reconnect(place, now);
  return done(JsonObject().flag("ok", true).text("remote", remote));
}

// --- retained messages, and buffers ---

std::unique_ptr<Answer> Desk::erase_retained(const ControlRequest& request, std::uint32_t uid) {
  const std::string older = request.older ? std::to_string(request.older->count()) + "s" : "0s";
  world_.log.write(LogLevel::Info, "operator.delete_retained",
                   {{"filter", request.filter}, {"older", older}, {"uid", std::uint64_t{uid}}});
  return std::make_unique<RetainedDeleteAnswer>(broker(), RetainedChoice{request.filter, request.older});
}

std::unique_ptr<Answer> Desk::purge(const ControlRequest& request, std::uint32_t uid, Instant now) {
  bridge::Buffer* const buffer = find_buffer(request.bridge);
  if (buffer == nullptr) return refusal(no_bridge(request.bridge));
  bridge::Quarantine& quarantine = buffer->quarantine();
  const std::uint64_t count = request.quarantine ? quarantine.messages() : buffer->waiting();
  if (request.quarantine) {
    quarantine.purge(now);
  } else {
    buffer->purge(now);
  }
  world_.log.write(LogLevel::Info, request.quarantine ? "operator.purge_quarantine" : "operator.purge",
                   {{"bridge", request.bridge}, {"messages", count}, {"uid", std::uint64_t{uid}}});
  return when_durable(JsonObject().flag("ok", true).number("count", count));
}

std::unique_ptr<Answer> Desk::replay(const ControlRequest& request, std::uint32_t uid, Instant now) {
  bridge::Buffer* const buffer = find_buffer(request.bridge);
  if (buffer == nullptr) return refusal(no_bridge(request.bridge));
  world_.log.write(
      LogLevel::Info, "operator.replay",
      {{"bridge", request.bridge}, {"messages", buffer->quarantine().messages()}, {"uid", std::uint64_t{uid}}});
  return std::make_unique<ReplayAnswer>(*buffer, broker(), now);
}

// --- traces ---

std::unique_ptr<Answer> Desk::trace(const ControlRequest& request, std::uint32_t uid, Instant now) {
  constexpr std::chrono::seconds kUsualLength = std::chrono::minutes(1);
  constexpr std::uint64_t kUsualCount = 10'000;
  if (world_.traces == nullptr) return refusal("the gateway is stopped");
  TraceChoice choice{.client = request.client, .bridge = request.bridge, .filter = request.filter};
  if (!request.bridge.empty() && !(request.client.empty() && request.address.empty())) {
    return refusal("a trace is of a bridge, or of clients");
  }
  if (!request.bridge.empty() && !world_.has_bridge(request.bridge)) return refusal(no_bridge(request.bridge));
  if (!request.address.empty()) {
    const auto network = IpNetwork::parse(request.address);
    if (!network) return refusal("address: " + network.error().message());
    choice.address = *network;
  }
  choice.payloads = request.payload;
  choice.count = request.limit.value_or(kUsualCount);
  const std::chrono::seconds length = request.length.value_or(kUsualLength);
  if (choice.count > Traces::kCountMax || length > Traces::kLengthMax) {
    return refusal("a trace has an hour and " + std::to_string(Traces::kCountMax) + " packets at most");
  }
  auto answer = world_.traces->begin(std::move(choice), length, now);
  if (!answer) return refusal(std::to_string(Traces::kMax) + " traces run already, which is the most");
  // Who looks is no secret; what is seen is for the reader alone.
  world_.log.write(LogLevel::Info, "operator.trace",
                   {{"client", request.client},
                    {"bridge", request.bridge},
                    {"address", request.address},
                    {"filter", request.filter},
                    {"payloads", request.payload ? "beginning" : "no"},
                    {"for", std::to_string(length.count()) + "s"},
                    {"uid", std::uint64_t{uid}}});
  return answer;
}

std::unique_ptr<Answer> Desk::when_durable(JsonObject end) {
  return std::make_unique<DurableAnswer>(broker().journal(), std::move(end));
}

}  // namespace furrow::gateway
