#include "gateway/bridge_link.h"

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "broker-core/limits.h"
#include "gateway/text_file.h"

namespace furrow::gateway {
namespace {

Result<std::optional<std::string>> read_password(const std::filesystem::path& file) {
  if (file.empty()) return std::optional<std::string>();
  auto line = read_first_line(file.string());
  if (!line) return std::move(line).error().within("password_from");
  return std::optional<std::string>(*std::move(line));
}

}  // namespace

BridgeLink::BridgeLink(uv_loop_t& loop, Resolver& resolver, const Clock& clock, bridge::Bridge& bridge,
                       std::filesystem::path password_from, std::function<void()> after_piece)
    : loop_(loop),
      resolver_(resolver),
      clock_(clock),
      password_from_(std::move(password_from)),
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
  TcpConnector::Options options;
  const auto known = reached_.find(command.address.text());
  if (known != reached_.end()) options.first = known->second;
  connector_ =
      std::make_unique<TcpConnector>(loop_, resolver_, command.address.host, command.address.port, std::move(options),
                                     [this, host = command.address.text()](Result<std::unique_ptr<TcpStream>> stream) {
                                       on_connected(host, std::move(stream));
                                     });
}

void BridgeLink::perform(const bridge::Disconnect&) {
  connector_.reset();
  channel_ = {};
}

void BridgeLink::on_connected(const std::string& host, Result<std::unique_ptr<TcpStream>> stream) {
  if (stream) reached_[host] = connector_->reached();
  connector_.reset();
  if (!stream) {
    bridge_.handle_connect_failed(stream.error().message(), clock_.now());
    return;
  }
  auto password = read_password(password_from_);
  if (!password) {
    bridge_.handle_connect_failed(password.error().message(), clock_.now());
    return;
  }
  channel_ = Channel(std::move(**stream));
  channel_.set_owner(*this);
  bridge_.handle_connected(*std::move(password), clock_.now());
}

void BridgeLink::write() {
  if (!channel_) return;
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
  channel_ = {};
  bridge_.handle_closed(reason, clock_.now());
}

}  // namespace furrow::gateway
