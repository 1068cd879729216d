#include "gateway/bridge_link.h"

#include <openssl/rand.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "broker-core/base/check.h"
#include "broker-core/limits.h"
#include "gateway/jwt.h"
#include "gateway/net/proxy_client.h"
#include "gateway/net/websocket_layer.h"
#include "gateway/secret_file.h"

namespace furrow::gateway {
namespace {

// A token is renewed this long before its end, and looked for this often from then on.
constexpr Duration kRenewBefore = std::chrono::minutes(1);
constexpr Duration kTokenLookInterval = std::chrono::seconds(5);

Result<std::optional<std::string>> read_password(const std::filesystem::path& file) {
  if (file.empty()) return std::optional<std::string>();
  auto line = read_secret_line(file);
  if (!line) return std::move(line).error().within("password_from");
  return std::optional<std::string>(*std::move(line));
}

// Names a host and its port in the tables of a link.
std::string key_of(const std::string& host, std::uint16_t port) {
  return bridge::Address{.host = host, .port = port}.text();
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

BridgeLink::BridgeLink(uv_loop_t& loop, Resolver& resolver, const Clock& clock, Traces& traces, bridge::Bridge& bridge,
                       config::Bridge settings, std::function<void()> after_piece)
    : loop_(loop),
      resolver_(resolver),
      clock_(clock),
      traces_(traces),
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
  const auto way = choose_proxy(settings_.proxy, command.address, config::process_environment());
  if (!way) {
    fail_connect(way.error());
    return;
  }
  connector_ = connect(command.address, *way, [this, address = command.address, way = *way](auto stream) {
    on_connected(address, way, std::move(stream));
  });
}

std::unique_ptr<TcpConnector> BridgeLink::connect(const bridge::Address& address, const Way& way,
                                                  TcpConnector::Done done) {
  const std::string& host = way ? way->proxy.host : address.host;
  const std::uint16_t port = way ? way->proxy.port : address.port;
  TcpConnector::Options options{.source = settings_.source};
  const auto known = reached_.find(key_of(host, port));
  if (known != reached_.end()) options.first = known->second;
  return std::make_unique<TcpConnector>(loop_, resolver_, host, port, std::move(options), std::move(done));
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
  const auto way = choose_proxy(settings_.proxy, command.address, config::process_environment());
  if (!way) {
    bridge_.handle_probed(false, clock_.now());
    return;
  }
  probe_ = connect(command.address, *way, [this](const auto& stream) {
    const bool reached = stream.has_value();
    probe_.reset();
    bridge_.handle_probed(reached, clock_.now());
  });
}

void BridgeLink::on_connected(const bridge::Address& address, const Way& way,
                              Result<std::unique_ptr<TcpStream>> stream) {
  const std::string key = way ? key_of(way->proxy.host, way->proxy.port) : key_of(address.host, address.port);
  if (stream) reached_[key] = connector_->reached();
  connector_.reset();
  if (!stream) {
    fail_connect(way ? std::move(stream).error().within("proxy") : stream.error());
    return;
  }
  auto layers = layers_to(address, way);
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

Result<std::unique_ptr<Layer>> BridgeLink::proxy_layer(const bridge::Address& address,
                                                       const ProxyChoice& choice) const {
  std::optional<ProxyLogin> login;
  if (!choice.proxy.user.empty()) {
    login = ProxyLogin{choice.proxy.user, choice.password.value_or("")};
    if (!choice.password && !settings_.proxy_password_from.empty()) {
      auto password = read_secret_line(settings_.proxy_password_from);
      if (!password) return std::move(password).error().within("proxy_password_from");
      login->password = *std::move(password);
    }
  }
  ProxyTarget target{address.host, address.port};
  std::unique_ptr<Layer> layer;
  if (choice.proxy.kind == config::Proxy::Kind::Socks5) {
    layer = std::make_unique<SocksProxyLayer>(std::move(target), std::move(login));
  } else {
    layer = std::make_unique<HttpProxyLayer>(std::move(target), std::move(login));
  }
  return layer;
}

Result<std::vector<std::unique_ptr<Layer>>> BridgeLink::layers_to(const bridge::Address& address, const Way& way) {
  std::vector<std::unique_ptr<Layer>> layers;
  if (way) {
    FURROW_TRY(std::unique_ptr<Layer> proxy, proxy_layer(address, *way));
    layers.push_back(std::move(proxy));
  }
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
  const auto password = read_password(settings_.password_from);
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
