// The way to the addresses of one bridge: from where, through which proxy, and with which layers upon TCP.
//
// Passwords, certificates and keys that the settings name are read again each time, so that they can change.
// Thread: loop.
#pragma once

#include <uv.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bridge/address.h"
#include "config/config.h"
#include "gateway/clock.h"
#include "gateway/net/layer.h"
#include "gateway/net/proxy_choice.h"
#include "gateway/net/resolver.h"
#include "gateway/net/tcp_connector.h"
#include "gateway/net/tls_layer.h"

namespace furrow::gateway {

class RemoteWay {
 public:
  // All that is referred to must outlive it.
  RemoteWay(uv_loop_t& loop, Resolver& resolver, const Clock& clock, config::Bridge settings);

  // The proxy that leads to an address; nothing: none does.
  using Proxy = std::optional<ProxyChoice>;
  Result<Proxy> proxy_to(const bridge::Address& address) const;
  // Begins to connect to the address, or to the proxy before it.
  std::unique_ptr<TcpConnector> connect(const bridge::Address& address, const Proxy& proxy, TcpConnector::Done done);
  // What connect() has reached is tried first the next time.
  void note_reached(const bridge::Address& address, const Proxy& proxy, const SocketAddress& reached);
  // For the stream of connect(); the one next to the socket first.
  Result<std::vector<std::unique_ptr<Layer>>> layers_to(const bridge::Address& address, const Proxy& proxy);
  // What CONNECT is to say.
  Result<std::optional<std::string>> password() const;

 private:
  Result<std::unique_ptr<Layer>> proxy_layer(const bridge::Address& address, const ProxyChoice& choice) const;

  uv_loop_t& loop_;
  Resolver& resolver_;
  const Clock& clock_;
  const config::Bridge settings_;
  // Each host and port that was connected to, and its address that worked last.
  std::map<std::string, SocketAddress> reached_;
  // By the same, what TLS can resume there.
  std::map<std::string, std::shared_ptr<TlsMemory>> tls_memory_;
};

}  // namespace furrow::gateway
