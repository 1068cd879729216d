#include "gateway/bridge_link.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "broker-core/limits.h"
#include "gateway/jwt.h"
#include "gateway/net/proxy_client.h"

namespace furrow::gateway {
namespace {

// A token is renewed this long before its end, and looked for this often from then on.
constexpr Duration kRenewBefore = std::chrono::minutes(1);
constexpr Duration kTokenLookInterval = std::chrono::seconds(5);

}  // namespace

BridgeLink::BridgeLink(uv_loop_t& loop, Resolver& resolver, const Clock& clock, Traces& traces, bridge::Bridge& bridge,
                       config::Bridge settings, std::function<void()> after_piece)
    : clock_(clock),
      traces_(traces),
      way_(loop, resolver, clock, std::move(settings)),
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
  auto proxy = way_.proxy_to(command.address);
  if (!proxy) {
    fail_connect(proxy.error());
    return;
  }
  connector_ = way_.connect(command.address, *proxy, [this, address = command.address, proxy = *proxy](auto stream) {
    on_connected(address, proxy, std::move(stream));
  });
}

void BridgeLink::fail_connect(const Error& why) {
  channel_ = {};
  bridge_.handle_connect_failed(why.message(), clock_.now());
}

void BridgeLink::perform(const bridge::Disconnect&) {
  note_ended("closed by the gateway");
  probe_.reset();
  connector_.reset();
  channel_ = {};
}

// Through a proxy this shows only whether that is there: whether it reaches the far side costs a connection.
void BridgeLink::perform(const bridge::Probe& command) {
  const auto proxy = way_.proxy_to(command.address);
  if (!proxy) {
    bridge_.handle_probed(false, clock_.now());
    return;
  }
  probe_ = way_.connect(command.address, *proxy, [this](const auto& stream) {
    const bool reached = stream.has_value();
    probe_.reset();
    bridge_.handle_probed(reached, clock_.now());
  });
}

void BridgeLink::on_connected(const bridge::Address& address, const RemoteWay::Proxy& proxy,
                              Result<std::unique_ptr<TcpStream>> stream) {
  if (stream) way_.note_reached(address, proxy, connector_->reached());
  connector_.reset();
  if (!stream) {
    fail_connect(proxy ? std::move(stream).error().within("proxy") : stream.error());
    return;
  }
  auto layers = way_.layers_to(address, proxy);
  if (!layers) {
    fail_connect(layers.error());
    return;
  }
  channel_ = Channel(std::move(**stream), *std::move(layers));
  channel_.set_owner(*this);
  if (channel_.is_open()) {
    begin();
  } else {
    channel_.set_reading(true);
  }
}

void BridgeLink::on_opened(const LayerStack&) {
  begin();
}

void BridgeLink::begin() {
  auto password = way_.password();
  if (!password) {
    fail_connect(password.error());
    return;
  }
  note_token(*password);
  bridge_.handle_connected(*std::move(password), clock_.now());
}

// With a clock that is not trusted nobody knows how long that is.
void BridgeLink::note_token(const std::optional<std::string>& password) {
  token_end_ = password && clock_.trusted() ? jwt_end(*password) : std::nullopt;
  token_due_ = kNever;
  bridge_.set_notice({}, clock_.now());
  if (!token_end_) return;
  const Duration left = *token_end_ - clock_.wall();
  token_due_ = clock_.now() + std::max(left - kRenewBefore, Duration::zero());
  if (left <= Duration::zero()) say_when_token_ends();
}

void BridgeLink::say_when_token_ends() {
  const bool has_ended = *token_end_ <= clock_.wall();
  bridge_.set_notice("the token in password_from " + std::string(has_ended ? "has ended at " : "ends at ") +
                         utc_text(*token_end_) + ", and there is no newer one",
                     clock_.now());
}

void BridgeLink::handle_timeout(Instant now) {
  if (token_due_ > now) return;
  token_due_ = kNever;
  if (!channel_ || !token_end_) return;
  const auto password = way_.password();
  const auto end = password && *password ? jwt_end(**password) : std::nullopt;
  if (end && *end > *token_end_) {
    bridge_.renew_connection(now);
    return;
  }
  say_when_token_ends();
  token_due_ = now + kTokenLookInterval;
}

void BridgeLink::judge_peer(WallTime time) {
  if (!channel_) return;
  if (const Status judged = channel_.judge(time); !judged) on_failed(judged.error());
}

void BridgeLink::write() {
  if (!channel_ || !channel_.is_open() || !bridge_.review_output(clock_.now())) return;
  ByteBuffer& output = bridge_.output();
  while (!output.empty() && !channel_.writing()) {
    if (traces_.is_on()) [[unlikely]]
      traces_.note_sent(bridge_, output.view(), clock_.now());
    const Result<std::size_t> written = channel_.write(output);
    if (!written) {
      note_ended(written.error().message());
      channel_ = {};
      bridge_.handle_closed(written.error(), clock_.now());
      return;
    }
    if (channel_.writing()) {
      bridge_.handle_taken();
    } else {
      bridge_.handle_sent(clock_.now());
    }
  }
}

void BridgeLink::note_ended(std::string_view why) {
  if (traces_.is_on()) traces_.note_ended(bridge_, why, clock_.now());
}

void BridgeLink::on_read(MutableBytes bytes, bool dry) {
  if (traces_.is_on()) [[unlikely]]
    traces_.note_received(bridge_, bytes, clock_.now());
  bridge_.handle_bytes(bytes, dry, clock_.now());
  after_piece_();
}

void BridgeLink::on_written(std::size_t) {
  bridge_.handle_sent(clock_.now());
}

void BridgeLink::on_ended(const Error& why) {
  if (channel_.is_open()) {
    on_failed(why);
    return;
  }
  const std::string_view layer = channel_.opening();
  const std::string what = layer == kProxyLayer
                               ? "the proxy ended the connection before it was open"
                               : "the far side ended the connection while " + std::string(layer) + " was opened";
  on_failed({why.code(), what + " (" + why.message() + ")"});
}

void BridgeLink::on_failed(const Error& why) {
  note_ended(why.message());
  channel_ = {};
  bridge_.handle_closed(why, clock_.now());
}

}  // namespace furrow::gateway
