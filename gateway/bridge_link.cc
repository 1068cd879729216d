#include "gateway/bridge_link.h"

#include <openssl/rand.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "broker-core/base/check.h"
#include "broker-core/limits.h"
#include "gateway/net/websocket_layer.h"
#include "gateway/secret_file.h"

namespace furrow::gateway {
namespace {

Result<std::optional<std::string>> read_password(const std::filesystem::path& file) {
  if (file.empty()) return std::optional<std::string>();
  auto line = read_secret_line(file);
  if (!line) return std::move(line).error().within("password_from");
  return std::optional<std::string>(*std::move(line));
}

FrameMask unforeseen_mask() {
  FrameMask mask{};
  FURROW_CHECK(RAND_bytes(mask.data(), static_cast<int>(mask.size())) == 1);
  return mask;
}

// The far side as a request names it: without the zone of an address, which means something here alone, and without
// the port that the scheme has anyway.
std::string authority(const bridge::Address& address) {
  bridge::Address named = address;
  named.host.erase(std::min(named.host.find('%'), named.host.size()));
  std::string text = named.text();
  const std::string_view usual = address.is_encrypted() ? ":443" : ":80";
  if (text.ends_with(usual)) text.erase(text.size() - usual.size());
  return text;
}

}  // namespace

BridgeLink::BridgeLink(uv_loop_t& loop, Resolver& resolver, const Clock& clock, bridge::Bridge& bridge,
                       config::Bridge settings, std::function<void()> after_piece)
    : loop_(loop),
      resolver_(resolver),
      clock_(clock),
      settings_(std::move(settings)),
      after_piece_(std::move(after_piece)),
      bridge_(bridge) {}

void BridgeLink::flush() {
  write();
  // A command can make output and a write can end the connection, after which the bridge may want something.
  while (auto command = bridge_.poll_command()) {
    std::visit([this](const auto& one) { perform(one); }, *command);
    write();
  }
  if (channel_) channel_.set_reading(!bridge_.reading_paused());
}

void BridgeLink::flush_full() {
  if (bridge_.output().size() >= broker::kOutputFullBytes) write();
}

void BridgeLink::perform(const bridge::Connect& command) {
  probe_.reset();
  TcpConnector::Options options;
  const auto known = reached_.find(command.address.text());
  if (known != reached_.end()) options.first = known->second;
  connector_ =
      std::make_unique<TcpConnector>(loop_, resolver_, command.address.host, command.address.port, std::move(options),
                                     [this, address = command.address](Result<std::unique_ptr<TcpStream>> stream) {
                                       on_connected(address, std::move(stream));
                                     });
}

void BridgeLink::perform(const bridge::Disconnect&) {
  probe_.reset();
  connector_.reset();
  channel_ = {};
}

void BridgeLink::perform(const bridge::Probe& command) {
  probe_ = std::make_unique<TcpConnector>(loop_, resolver_, command.address.host, command.address.port,
                                          TcpConnector::Options{}, [this](const auto& stream) {
                                            const bool reached = stream.has_value();
                                            probe_.reset();
                                            bridge_.handle_probed(reached, clock_.now());
                                          });
}

void BridgeLink::on_connected(const bridge::Address& address, Result<std::unique_ptr<TcpStream>> stream) {
  if (stream) reached_[address.text()] = connector_->reached();
  connector_.reset();
  if (!stream) {
    bridge_.handle_connect_failed(stream.error().message(), clock_.now());
    return;
  }
  channel_ = Channel(std::move(**stream), layers_to(address));
  channel_.set_owner(*this);
  if (channel_.is_open()) {
    begin();
  } else {
    channel_.set_reading(true);
  }
}

std::vector<std::unique_ptr<Layer>> BridgeLink::layers_to(const bridge::Address& address) {
  std::vector<std::unique_ptr<Layer>> layers;
  if (address.is_encrypted()) {
    std::shared_ptr<TlsMemory>& memory = tls_memory_[address.text()];
    if (!memory) memory = std::make_shared<TlsMemory>();
    const auto open = [settings = settings_] { return TlsContext::open_client(settings); };
    layers.push_back(TlsLayer::make_client(open, address.host, memory, clock_.judged()));
  }
  if (address.is_web()) {
    layers.push_back(std::make_unique<WebSocketClientLayer>(WebSocketClientLayer::Options{
        .authority = authority(address), .path = address.path, .random = unforeseen_mask}));
  }
  return layers;
}

void BridgeLink::on_opened(const LayerStack&) {
  begin();
}

void BridgeLink::begin() {
  auto password = read_password(settings_.password_from);
  if (!password) {
    channel_ = {};
    bridge_.handle_connect_failed(password.error().message(), clock_.now());
    return;
  }
  bridge_.handle_connected(*std::move(password), clock_.now());
}

void BridgeLink::judge_peer(WallTime time) {
  if (!channel_) return;
  if (const Status judged = channel_.judge(time); !judged) on_failed(judged.error());
}

void BridgeLink::write() {
  if (!channel_ || !channel_.is_open() || !bridge_.review_output(clock_.now())) return;
  ByteBuffer& output = bridge_.output();
  while (!output.empty() && !channel_.writing()) {
    const Result<std::size_t> written = channel_.write(output);
    if (!written) {
      channel_ = {};
      bridge_.handle_closed(written.error().message(), clock_.now());
      return;
    }
    if (channel_.writing()) {
      bridge_.handle_taken();
    } else {
      bridge_.handle_sent(clock_.now());
    }
  }
}

void BridgeLink::on_read(MutableBytes bytes, bool dry) {
  bridge_.handle_bytes(bytes, dry, clock_.now());
  after_piece_();
}

void BridgeLink::on_written(std::size_t) {
  bridge_.handle_sent(clock_.now());
}

void BridgeLink::on_ended(std::string_view reason) {
  std::string why(reason);
  if (!channel_.is_open()) {
    why = "the far side ended the connection while " + std::string(channel_.opening()) + " was opened (" + why + ")";
  }
  channel_ = {};
  bridge_.handle_closed(why, clock_.now());
}

void BridgeLink::on_failed(const Error& why) {
  channel_ = {};
  bridge_.handle_closed(why.message(), clock_.now());
}

}  // namespace furrow::gateway
