#include "gateway/cli/demo_client.h"

#include <utility>
#include <variant>

#include "broker-core/mqtt/encoder.h"

namespace furrow::gateway {

DemoClient::DemoClient(uv_loop_t& loop, Options options, Events events)
    : options_(std::move(options)),
      events_(std::move(events)),
      connector_(std::make_unique<TcpConnector>(
          loop, *SocketAddress::parse("127.0.0.1", options_.port),
          [this](Result<std::unique_ptr<TcpStream>> stream) { on_connected(std::move(stream)); })),
      decoder_(mqtt::Role::Client, mqtt::kRemainingLengthMax) {
  decoder_.set_version(mqtt::Version::V5);
}

DemoClient::~DemoClient() = default;

void DemoClient::publish(std::string_view topic, std::string_view payload) {
  const PacketId id = next_packet_id();
  exchanges_.insert(id.value);
  send(mqtt::Publish{
      .topic = topic, .payload = as_bytes(payload), .properties = {}, .packet_id = id, .qos = mqtt::Qos::ExactlyOnce});
}

void DemoClient::on_connected(Result<std::unique_ptr<TcpStream>> stream) {
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
  connect.client_id = options_.client_id;
  send(connect);
}

void DemoClient::on_read(MutableBytes received, bool) {
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

void DemoClient::handle(const mqtt::Connack& connack) {
  if (connack.reason != mqtt::ReasonCode::Success) {
    fail("the broker refused the connection");
  } else if (options_.filter.empty()) {
    events_.on_ready();
  } else {
    mqtt::Subscribe subscribe;
    subscribe.packet_id = next_packet_id();
    subscribe.requests.push_back({.filter = options_.filter, .qos = mqtt::Qos::ExactlyOnce});
    send(subscribe);
  }
}

void DemoClient::handle(const mqtt::Suback& suback) {
  if (suback.reasons.front() == mqtt::ReasonCode::GrantedQos2) {
    events_.on_ready();
  } else {
    fail("the broker refused the subscription");
  }
}

void DemoClient::handle(const mqtt::Publish& publish) {
  events_.on_message(publish.topic, as_text(publish.payload));
  if (publish.qos == mqtt::Qos::ExactlyOnce) send(mqtt::Pubrec{.packet_id = publish.packet_id, .properties = {}});
}

void DemoClient::handle(const mqtt::Pubrec& pubrec) {
  if (pubrec.reason == mqtt::ReasonCode::Success || pubrec.reason == mqtt::ReasonCode::NoMatchingSubscribers) {
    send(mqtt::Pubrel{.packet_id = pubrec.packet_id, .properties = {}});
  } else {
    fail("the broker refused a message");
  }
}

void DemoClient::handle(const mqtt::Pubrel& pubrel) {
  send(mqtt::Pubcomp{.packet_id = pubrel.packet_id, .properties = {}});
}

void DemoClient::handle(const mqtt::Pubcomp& pubcomp) {
  exchanges_.erase(pubcomp.packet_id.value);
}

void DemoClient::handle(const mqtt::Disconnect&) {
  fail("the broker ended the connection");
}

void DemoClient::send(const mqtt::Packet& packet) {
  mqtt::encode(packet, mqtt::Version::V5, output_);
  write();
}

void DemoClient::write() {
  if (!stream_ || stream_->writing() || output_.empty()) return;
  const auto written = stream_->write(output_);
  if (!written) fail(written.error().message());
}

void DemoClient::fail(std::string why) {
  stream_.reset();
  events_.on_failed(options_.client_id + ": " + std::move(why));
}

PacketId DemoClient::next_packet_id() {
  do {
    ++last_packet_id_.value;
  } while (last_packet_id_.value == 0 || exchanges_.contains(last_packet_id_.value));
  return last_packet_id_;
}

}  // namespace furrow::gateway
