#include "gateway/cli/link_probe.h"

#include <utility>

#include "bridge/diagnosis.h"
#include "gateway/cli/table_text.h"
#include "gateway/net/layer_stack.h"
#include "gateway/net/socket_address.h"

namespace furrow::gateway {
namespace {

using mqtt::Version;

// A step that takes longer than that has failed; TCP has an end of its own.
constexpr std::chrono::milliseconds kPatience = std::chrono::seconds(15);
constexpr std::string_view kConnect = "CONNECT";
constexpr std::uint32_t kSubscriptionId = 1;
constexpr Duration kKeepAlive = std::chrono::seconds(60);

bridge::RemoteSession::Options session_options(const bridge::Options& options) {
  return {.client_id = options.client_id + "-check",
          .username = options.username,
          .keep_alive = kKeepAlive,
          .session_expiry_s = 0,
          .known = options.known};
}

std::string host_text(const SocketAddress& address) {
  const std::string text = address.text();
  return text.substr(0, text.rfind(':'));
}

std::string version_text(Version version) {
  return version == Version::V5 ? "MQTT 5" : "MQTT 3.1.1";
}

std::string limits_text(const bridge::RemoteLimits& limits, Version version) {
  if (version != Version::V5) return "3.1.1 says none";
  std::string text = "QoS " + std::to_string(static_cast<int>(limits.maximum_qos)) + " at most";
  text += ", " + std::to_string(limits.receive_maximum) + " messages in flight";
  if (limits.packet_bytes_max != UINT32_MAX)
    text += ", packets of " + std::to_string(limits.packet_bytes_max) + " bytes";
  if (!limits.retain_available) text += ", nothing retained";
  if (!limits.subscription_ids_available) text += ", no subscription identifiers";
  return text;
}

}  // namespace

LinkProbe::LinkProbe(uv_loop_t& loop, Resolver& resolver, const Clock& clock, const config::Bridge& settings,
                     bridge::Options options, bridge::Address address, Events events)
    : resolver_(resolver),
      clock_(clock),
      options_(std::move(options)),
      address_(std::move(address)),
      events_(std::move(events)),
      way_(loop, resolver, clock, settings),
      remote_(session_options(options_), *this),
      patience_(loop, this, uv_timer_init),
      version_(options_.version == bridge::VersionChoice::V3_1_1 ? Version::V3_1_1 : Version::V5) {}

LinkProbe::~LinkProbe() = default;

// --- steps ---

void LinkProbe::begin(std::string step) {
  step_ = std::move(step);
  step_began_ = clock_.now();
  const auto on_timer = [](uv_timer_t* timer) {
    auto& probe = *static_cast<LinkProbe*>(timer->data);
    if (probe.step_ == kConnect) {
      probe.fail_connect("no answer to CONNECT within 15 s", probe.advice());
    } else {
      probe.fail("no answer within 15 s");
    }
  };
  uv_timer_start(patience_.get(), on_timer, static_cast<std::uint64_t>(kPatience.count()), 0);
}

// Where CONNECT is not answered.
std::string LinkProbe::advice() const {
  return address_.is_encrypted() ? "" : "if it wants TLS, use mqtts:// or wss://";
}

std::string LinkProbe::taken() const {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - step_began_).count()) +
         " ms";
}

void LinkProbe::succeed(std::string what) {
  uv_timer_stop(patience_.get());
  events_.on_step({.name = step_, .ok = true, .what = std::move(what), .advice = {}});
}

void LinkProbe::fail(std::string why, std::string advice) {
  if (has_ended_) return;
  events_.on_step({.name = step_, .ok = false, .what = std::move(why), .advice = std::move(advice)});
  end();
}

void LinkProbe::end() {
  if (std::exchange(has_ended_, true)) return;
  uv_timer_stop(patience_.get());
  look_up_.reset();
  connector_.reset();
  remote_.close();
  channel_ = {};
  events_.on_end();
}

// --- to the far side ---

void LinkProbe::start() {
  begin("name");
  auto proxy = way_.proxy_to(address_);
  if (!proxy) {
    step_ = "proxy";
    fail(proxy.error().message());
    return;
  }
  proxy_ = *std::move(proxy);
  const std::string host = proxy_ ? proxy_->proxy.host : address_.host;
  const std::uint16_t port = proxy_ ? proxy_->proxy.port : address_.port;
  if (SocketAddress::parse(host, port)) {
    connect();
    return;
  }
  auto request = resolver_.start(host, port, [this, host](const Result<Resolver::Addresses>& found) {
    if (!found) {
      fail(found.error().message(), "is the name right? getent hosts " + host + " asks the same");
      return;
    }
    std::string list;
    for (const SocketAddress& one : *found) list += (list.empty() ? "" : ", ") + host_text(one);
    succeed(host + " is " + list);
    connect();
  });
  if (!request) {
    fail(request.error().message());
    return;
  }
  look_up_ = *std::move(request);
}

void LinkProbe::connect() {
  begin("TCP");
  connector_ = way_.connect(address_, proxy_, [this](auto stream) { on_stream(std::move(stream)); });
}

void LinkProbe::on_stream(Result<std::unique_ptr<TcpStream>> stream) {
  const std::string reached = stream ? connector_->reached().text() : std::string();
  connector_.reset();
  const bool is_first = why_not_v5_.empty();
  if (!stream) {
    fail(stream.error().message(), "does the far broker run, and does a firewall let this gateway out?");
    return;
  }
  if (is_first) succeed((proxy_ ? "connected to the proxy, " : "connected to ") + reached + ", in " + taken());
  auto layers = way_.layers_to(address_, proxy_);
  if (!layers) {
    fail(layers.error().message());
    return;
  }
  channel_ = Channel(std::move(**stream), *std::move(layers));
  channel_.set_owner(*this);
  const bool is_open = channel_.is_open();
  if (!is_open) begin(std::string(channel_.opening()));
  channel_.set_reading(true);
  if (is_open) open_session();
}

void LinkProbe::on_opened(const LayerStack& layers) {
  const bool is_first = why_not_v5_.empty();
  const std::string time = taken();
  layers.for_each([&](const Layer& layer) {
    step_ = layer.name();
    if (is_first) succeed(layer.agreed() + (layer.agreed().empty() ? "open, in " : ", in ") + time);
  });
  open_session();
}

void LinkProbe::on_failed(const Error& why) {
  if (!channel_.is_open()) step_ = channel_.opening();
  if (step_ == kConnect) {
    fail_connect(why.message(), advice());
  } else {
    fail(why.message());
  }
}

void LinkProbe::on_ended(const Error& why) {
  on_failed(Error(why.code(), "the far side ended the connection (" + why.message() + ")"));
}

void LinkProbe::on_read(MutableBytes bytes, bool) {
  remote_.handle_bytes(bytes, clock_.now());
  write();
}

void LinkProbe::write() {
  while (channel_ && !channel_.writing() && !remote_.output().empty()) {
    if (const auto written = channel_.write(remote_.output()); !written) {
      on_failed(written.error());
      return;
    }
  }
}

// --- MQTT ---

void LinkProbe::open_session() {
  begin(std::string(kConnect));
  auto password = way_.password();
  if (!password) {
    fail(password.error().message());
    return;
  }
  remote_.open({.version = version_, .password = *std::move(password)}, clock_.now());
  write();
}

void LinkProbe::fail_connect(std::string why, std::string advice) {
  const bool may_try = options_.version == bridge::VersionChoice::Auto && version_ == Version::V5;
  if (!may_try) {
    fail((why_not_v5_.empty() ? "" : "in MQTT 5: " + why_not_v5_ + "; in 3.1.1: ") + std::move(why), std::move(advice));
    return;
  }
  why_not_v5_ = std::move(why);
  version_ = Version::V3_1_1;
  remote_.close();
  channel_ = {};
  connect();
}

void LinkProbe::handle_accepted(bool, Instant) {
  std::string what = version_text(version_) + ", as " + shown(remote_.client_id());
  if (options_.username) what += ", user " + shown(*options_.username);
  if (!why_not_v5_.empty()) what += " (MQTT 5: " + why_not_v5_ + ")";
  succeed(what + ", in " + taken());
  step_ = "limits";
  succeed(limits_text(remote_.limits(), version_));
  next_rule();
}

void LinkProbe::handle_refused(const mqtt::Connack& connack, Instant) {
  const std::string why = bridge::describe(connack, options_.username.has_value(), remote_.client_id());
  if (connack.reason == mqtt::ReasonCode::UnsupportedProtocolVersion) {
    fail_connect(why, {});
    return;
  }
  const bool is_login =
      connack.reason == mqtt::ReasonCode::NotAuthorized || connack.reason == mqtt::ReasonCode::ClientIdentifierNotValid;
  fail(why, is_login
                ? "a region that ties credentials to client identifiers may take the bridge and refuse this check, "
                  "which comes as " +
                      shown(remote_.client_id())
                : "");
}

void LinkProbe::handle_stranger(bridge::Stranger stranger, Instant) {
  fail(bridge::describe(stranger, address_));
}

void LinkProbe::handle_lost(std::string_view why, mqtt::ReasonCode, Instant) {
  if (step_ == kConnect) {
    fail_connect(std::string(why), {});
  } else {
    fail(std::string(why));
  }
}

void LinkProbe::next_rule() {
  while (rule_ < options_.rules.size() && !options_.rules[rule_].comes_down()) ++rule_;
  ++last_packet_id_.value;
  if (rule_ < options_.rules.size()) {
    const bridge::Rule& rule = options_.rules[rule_];
    begin("subscribe");
    told_ = rule.remote_filter();
    remote_.write_subscribe(last_packet_id_,
                            {.filter = told_,
                             .qos = rule.qos_max,
                             .no_local = version_ == Version::V5,
                             .retain_handling = mqtt::RetainHandling::DoNotSend},
                            kSubscriptionId);
  } else {
    begin("round trip");
    if (told_.empty()) told_ = "furrow-check";  // nobody has subscribed to it
    remote_.write_unsubscribe(last_packet_id_, told_);
  }
  write();
}

void LinkProbe::handle_suback(const mqtt::Suback& suback, Instant) {
  const mqtt::ReasonCode reason = suback.reasons.front();
  const bridge::Rule& rule = options_.rules[rule_++];
  if (mqtt::is_error(reason)) {
    events_.on_step({.name = step_,
                     .ok = false,
                     .what = shown(told_) + ": " + bridge::describe(reason),
                     .advice = "may this user subscribe to that there?"});
  } else {
    const auto granted = static_cast<int>(reason);
    std::string what = shown(told_) + ": QoS " + std::to_string(granted);
    if (granted < static_cast<int>(rule.qos_max))
      what += ", where the rule has " + std::to_string(static_cast<int>(rule.qos_max));
    succeed(std::move(what));
  }
  next_rule();
}

void LinkProbe::handle_unsuback(const mqtt::Unsuback&, Instant) {
  succeed(taken());
  remote_.write_disconnect();
  write();
  end();
}

}  // namespace furrow::gateway
