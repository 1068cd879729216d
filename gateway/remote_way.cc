#include "gateway/remote_way.h"

#include <openssl/rand.h>

#include <algorithm>
#include <utility>

#include "broker-core/base/check.h"
#include "gateway/net/proxy_client.h"
#include "gateway/net/websocket_layer.h"
#include "gateway/secret_file.h"

namespace furrow::gateway {
namespace {

// Names the host and the port that are connected to.
std::string key_of(const bridge::Address& address, const RemoteWay::Proxy& proxy) {
  if (!proxy) return address.text();
  return bridge::Address{.host = proxy->proxy.host, .port = proxy->proxy.port}.text();
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

RemoteWay::RemoteWay(uv_loop_t& loop, Resolver& resolver, const Clock& clock, config::Bridge settings)
    : loop_(loop), resolver_(resolver), clock_(clock), settings_(std::move(settings)) {}

Result<RemoteWay::Proxy> RemoteWay::proxy_to(const bridge::Address& address) const {
  return choose_proxy(settings_.proxy, address, config::process_environment());
}

std::unique_ptr<TcpConnector> RemoteWay::connect(const bridge::Address& address, const Proxy& proxy,
                                                 TcpConnector::Done done) {
  const std::string& host = proxy ? proxy->proxy.host : address.host;
  const std::uint16_t port = proxy ? proxy->proxy.port : address.port;
  TcpConnector::Options options{.source = settings_.source};
  const auto known = reached_.find(key_of(address, proxy));
  if (known != reached_.end()) options.first = known->second;
  return std::make_unique<TcpConnector>(loop_, resolver_, host, port, std::move(options), std::move(done));
}

void RemoteWay::note_reached(const bridge::Address& address, const Proxy& proxy, const SocketAddress& reached) {
  reached_[key_of(address, proxy)] = reached;
}

Result<std::unique_ptr<Layer>> RemoteWay::proxy_layer(const bridge::Address& address, const ProxyChoice& choice) const {
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

Result<std::vector<std::unique_ptr<Layer>>> RemoteWay::layers_to(const bridge::Address& address, const Proxy& proxy) {
  std::vector<std::unique_ptr<Layer>> layers;
  if (proxy) {
    FURROW_TRY(std::unique_ptr<Layer> layer, proxy_layer(address, *proxy));
    layers.push_back(std::move(layer));
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

Result<std::optional<std::string>> RemoteWay::password() const {
  if (settings_.password_from.empty()) return std::optional<std::string>();
  auto line = read_secret_line(settings_.password_from);
  if (!line) return std::move(line).error().within("password_from");
  return std::optional<std::string>(*std::move(line));
}

}  // namespace furrow::gateway
