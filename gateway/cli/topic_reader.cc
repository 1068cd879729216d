#include "gateway/cli/topic_reader.h"

#include <utility>
#include <variant>

#include "broker-core/mqtt/encoder.h"
#include "config/config.h"
#include "gateway/clock.h"
#include "gateway/net/tls_layer.h"
#include "gateway/secret_file.h"

namespace furrow::gateway {
namespace {

std::uint64_t count_ms(std::chrono::milliseconds time) {
  return static_cast<std::uint64_t>(time.count());
}

std::string refusal(mqtt::ReasonCode reason, bool has_credentials) {
  const std::string code(mqtt::name(reason));
  if (reason == mqtt::ReasonCode::NotAuthorized || reason == mqtt::ReasonCode::BadUserNameOrPassword) {
    return has_credentials ? "it does not take this user name and password (" + code + ")"
                           : "it wants a user name and a password: give --username and --password-from";
  }
  return "it refuses the connection: " + code;
}

}  // namespace

TopicReader::TopicReader(uv_loop_t& loop, Resolver& resolver, Options options, Events events)
    : options_(std::move(options)),
      events_(std::move(events)),
      connector_(std::make_unique<TcpConnector>(
          loop, resolver, options_.address.host, options_.address.port,
          TcpConnector::Options{.timeout = options_.patience},
          [this](Result<std::unique_ptr<TcpStream>> stream) { on_stream(std::move(stream)); })),
      patience_(loop, this, uv_timer_init),
      ping_(loop, this, uv_timer_init),
      decoder_(mqtt::Role::Client, mqtt::kRemainingLengthMax) {
  decoder_.set_version(mqtt::Version::V5);
  expect_answer();
}

TopicReader::~TopicReader() = default;

void TopicReader::expect_answer() {
  const auto on_timer = [](uv_timer_t* timer) { static_cast<TopicReader*>(timer->data)->fail("it does not answer"); };
  const auto patience = options_.patience + std::chrono::milliseconds(500);  // the connector's first
  uv_timer_start(patience_.get(), on_timer, count_ms(patience), 0);
}

std::vector<std::unique_ptr<Layer>> TopicReader::layers() const {
  std::vector<std::unique_ptr<Layer>> layers;
  if (!options_.address.is_encrypted()) return layers;
  config::Bridge settings;
  if (options_.ca) settings.tls.ca = *options_.ca;
  settings.pins = options_.pins;
  const auto open = [settings] { return TlsContext::open_client(settings); };
  layers.push_back(TlsLayer::make_client(open, options_.address.host, std::make_shared<TlsMemory>(), Clock().judged()));
  return layers;
}

void TopicReader::on_stream(Result<std::unique_ptr<TcpStream>> stream) {
  connector_.reset();
  if (!stream) {
    fail(stream.error().message());
    return;
  }
  channel_ = Channel(std::move(**stream), layers());
  channel_.set_owner(*this);
  const bool has_layers = !channel_.is_open();  // which say when they are
  channel_.set_reading(true);
  if (!has_layers) begin();
}

void TopicReader::on_opened(const LayerStack&) {
  begin();
}

void TopicReader::begin() {
  mqtt::Connect connect;
  connect.version = mqtt::Version::V5;
  connect.keep_alive_s = static_cast<std::uint16_t>(2 * options_.ping_interval.count());
  if (options_.username) connect.username = *options_.username;
  if (options_.password) connect.password = as_bytes(*options_.password);
  send(connect);
}

void TopicReader::on_read(MutableBytes received, bool) {
  ByteView bytes = received;
  mqtt::Packet packet;
  mqtt::ProtocolError error;
  while (channel_) {
    const mqtt::Decoder::Step step = decoder_.next(bytes, packet, error);
    if (step == mqtt::Decoder::Step::NeedMore) break;
    if (step == mqtt::Decoder::Step::Malformed) {
      fail(error.what);
      break;
    }
    std::visit([this](const auto& one) { handle(one); }, packet);
  }
}

void TopicReader::handle(const mqtt::Connack& connack) {
  if (connack.reason != mqtt::ReasonCode::Success) {
    fail(refusal(connack.reason, options_.username.has_value()));
    return;
  }
  const std::uint64_t interval = count_ms(options_.ping_interval);
  const auto ping = [](uv_timer_t* timer) { static_cast<TopicReader*>(timer->data)->send(mqtt::Pingreq{}); };
  if (interval > 0) uv_timer_start(ping_.get(), ping, interval, interval);
  events_.on_connected();
}

void TopicReader::subscribe(std::string_view filter) {
  mqtt::Subscribe subscribe;
  last_packet_id_ = PacketId{static_cast<std::uint16_t>(last_packet_id_.value % UINT16_MAX + 1)};
  subscribe.packet_id = last_packet_id_;
  subscribe.requests.push_back({.filter = filter, .qos = mqtt::Qos::AtMostOnce});
  send(subscribe);
}

void TopicReader::handle(const mqtt::Disconnect& disconnect) {
  fail("it ended the connection: " + std::string(mqtt::name(disconnect.reason)));
}

void TopicReader::send(const mqtt::Packet& packet) {
  mqtt::encode(packet, mqtt::Version::V5, output_);
  write();
}

void TopicReader::write() {
  while (channel_ && !channel_.writing() && !output_.empty()) {
    const auto written = channel_.write(output_);
    if (!written) fail(written.error().message());
  }
}

void TopicReader::fail(std::string why) {
  if (std::exchange(failed_, true)) return;
  uv_timer_stop(patience_.get());
  uv_timer_stop(ping_.get());
  connector_.reset();
  channel_ = {};
  events_.on_failed(std::move(why));
}

Result<config::Address> read_url(const std::string& url) {
  auto address = config::parse_address(url);
  if (!address) return std::move(address).error().within("--url");
  if (address->scheme == config::Scheme::Mqtt || address->scheme == config::Scheme::Mqtts) return address;
  return Error(Errc::InvalidArgument, "--url: it must be mqtt:// or mqtts://");
}

Result<std::optional<std::string>> read_password(const std::optional<std::string>& file) {
  if (!file) return std::optional<std::string>();
  auto password = read_secret_line(*file);
  if (!password) return std::move(password).error().within("--password-from");
  return std::optional(*std::move(password));
}

}  // namespace furrow::gateway
