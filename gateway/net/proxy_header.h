// The PROXY protocol: a load balancer says in the first bytes of a connection for whom it has made it.
//
//   header = v1 | v2
//   v1     = "PROXY " ("TCP4 " IPv4 " " IPv4 | "TCP6 " IPv6 " " IPv6) " " PORT " " PORT CRLF
//          | "PROXY UNKNOWN" [" " anything] CRLF                            at most 107 bytes; source before
//          destination
//   v2     = signature:12 version:4 command:4 family:4 transport:4 size:16 block:size        at most 536 bytes
//   version = 2    command = 0 LOCAL | 1 PROXY    family = 0 none | 1 IPv4 | 2 IPv6 | 3 Unix    transport = 0 none |
//   1 stream | 2 datagram
//   block  = [source destination source_port:16 destination_port:16] TLV*     addresses of 4 or 16 bytes
//
// Nothing else is handled before the header is whole, and nothing is guessed: what is not a header is an error at its
// first wrong byte. UNKNOWN, LOCAL and families without an IP address leave the address of the socket: health checks of
// the balancer itself. TLVs are skipped. What they say of certificates is believed by nobody here, since whoever may
// send the header could claim to be anybody. 536 bytes are what the specification makes sure of to arrive at once.
// Spec: doc/proxy-protocol.txt of HAProxy, sections 2.1 and 2.2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "broker-core/base/bytes.h"
#include "broker-core/base/ip.h"
#include "broker-core/base/result.h"
#include "gateway/net/layer.h"

namespace furrow::gateway {

inline constexpr std::size_t kProxyLineBytesMax = 107;
inline constexpr std::size_t kProxyHeaderBytesMax = 536;

struct ProxyHeader {
  struct Source {
    IpAddress address;
    std::uint16_t port = 0;
    friend bool operator==(const Source&, const Source&) = default;
  };

  std::size_t size = 0;          // in bytes
  std::optional<Source> source;  // nothing: the socket's
};

// The header that `bytes` begin with, whatever follows it; nothing while more bytes are needed to know.
Result<std::optional<ProxyHeader>> parse_proxy_header(ByteView bytes);

// Takes the header off the front of a connection, and lets everything behind it through.
class ProxyHeaderLayer final : public Layer {
 public:
  // Clients that it names must be among `allowed`; empty: anybody. The balancer itself always is.
  explicit ProxyHeaderLayer(std::vector<IpNetwork> allowed = {}) : allowed_(std::move(allowed)) {}

  std::string_view name() const override { return "PROXY header"; }
  Phase phase() const override { return header_ ? Phase::Through : Phase::Opening; }
  Result<MutableBytes> read(MutableBytes& bytes, ByteBuffer& below) override;
  Status write(ByteBuffer& plain, ByteBuffer& below) override;
  void introduce(Introduction& introduction) const override;

 private:
  const std::vector<IpNetwork> allowed_;
  std::optional<ProxyHeader> header_;
  ByteBuffer gathered_;  // of a header that comes in pieces
};

}  // namespace furrow::gateway
