#include "gateway/cli/status_reader.h"

#include <utility>
#include <variant>

#include "broker-core/base/printable.h"
#include "broker-core/mqtt/encoder.h"

namespace furrow::gateway {
namespace {

constexpr std::string_view kBridgePrefix = "$SYS/furrow/bridge/";
constexpr std::string_view kAlarmsTopic = "$SYS/furrow/alarms";
constexpr std::string_view kGatewayTopic = "$SYS/furrow/gateway";

std::string refusal(mqtt::ReasonCode reason, bool has_credentials) {
  const std::string code(mqtt::name(reason));
  if (reason == mqtt::ReasonCode::NotAuthorized || reason == mqtt::ReasonCode::BadUserNameOrPassword) {
    return has_credentials ? "it does not take this user name and password (" + code + ")"
                           : "it wants a user name and a password: give --username and --password-from";
  }
  return "it refuses the connection: " + code;
}

}  // namespace

StatusReader::StatusReader(uv_loop_t& loop, Resolver& resolver, Options options, Events events)
    : options_(std::move(options)),
      events_(std::move(events)),
      connector_(std::make_unique<TcpConnector>(
          loop, resolver, options_.host, options_.port, TcpConnector::Options{.timeout = kPatience},
          [this](Result<std::unique_ptr<TcpStream>> stream) { on_connected(std::move(stream)); })),
      patience_(loop, this, uv_timer_init),
      decoder_(mqtt::Role::Client, mqtt::kRemainingLengthMax) {
  decoder_.set_version(mqtt::Version::V5);
  wait_no_longer();
}

StatusReader::~StatusReader() = default;

void StatusReader::wait_no_longer() {
  const auto on_timer = [](uv_timer_t* timer) { static_cast<StatusReader*>(timer->data)->fail("it does not answer"); };
  const auto patience = std::chrono::milliseconds(kPatience) + std::chrono::milliseconds(500);  // the connector's first
  uv_timer_start(patience_.get(), on_timer, static_cast<std::uint64_t>(patience.count()), 0);
}

void StatusReader::on_connected(Result<std::unique_ptr<TcpStream>> stream) {
  connector_.reset();
  if (!stream) {
    fail(stream.error().message());
    return;
  }
  stream_ = *std::move(stream);
  stream_->set_owner(this);
  stream_->set_reading(true);
  mqtt::Connect connect;
  connect.version = mqtt::Version::V5;
  if (options_.username) connect.username = *options_.username;
  if (options_.password) connect.password = as_bytes(*options_.password);
  send(connect);
}

void StatusReader::on_read(MutableBytes received, bool) {
  ByteView bytes = received;
  mqtt::Packet packet;
  mqtt::ProtocolError error;
  while (stream_) {
    const mqtt::Decoder::Step step = decoder_.next(bytes, packet, error);
    if (step == mqtt::Decoder::Step::NeedMore) break;
    if (step == mqtt::Decoder::Step::Malformed) {
      fail(error.what);
      break;
    }
    std::visit([this](const auto& one) { handle(one); }, packet);
  }
}

void StatusReader::handle(const mqtt::Connack& connack) {
  if (connack.reason != mqtt::ReasonCode::Success) {
    fail(refusal(connack.reason, options_.username.has_value()));
  } else {
    refresh();
  }
}

void StatusReader::refresh() {
  documents_ = {};
  wait_no_longer();
  subscribe(std::string(kBridgePrefix) + "+");
  subscribe(kAlarmsTopic);
  subscribe(kGatewayTopic);
}

void StatusReader::subscribe(std::string_view filter) {
  mqtt::Subscribe subscribe;
  last_packet_id_ = PacketId{static_cast<std::uint16_t>(last_packet_id_.value % UINT16_MAX + 1)};
  subscribe.packet_id = last_packet_id_;
  subscribe.requests.push_back({.filter = filter, .qos = mqtt::Qos::AtMostOnce});
  send(subscribe);
}

void StatusReader::handle(const mqtt::Suback& suback) {
  if (suback.reasons.front() == mqtt::ReasonCode::GrantedQos0) return;
  fail("it does not let " +
       (options_.username ? "'" + printable(*options_.username, 64) + "'" : "an anonymous client") +
       " read $SYS/furrow/#: see access.rules" + (options_.username ? "" : ", or give --username"));
}

void StatusReader::handle(const mqtt::Publish& publish) {
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
  uv_timer_stop(patience_.get());
  events_.on_documents(documents_);
}

void StatusReader::handle(const mqtt::Disconnect& disconnect) {
  fail("it ended the connection: " + std::string(mqtt::name(disconnect.reason)));
}

void StatusReader::send(const mqtt::Packet& packet) {
  mqtt::encode(packet, mqtt::Version::V5, output_);
  write();
}

void StatusReader::write() {
  if (!stream_ || stream_->writing() || output_.empty()) return;
  const auto written = stream_->write(output_);
  if (!written) fail(written.error().message());
}

void StatusReader::fail(std::string why) {
  if (std::exchange(failed_, true)) return;
  uv_timer_stop(patience_.get());
  connector_.reset();
  stream_.reset();
  events_.on_failed(std::move(why));
}

}  // namespace furrow::gateway
