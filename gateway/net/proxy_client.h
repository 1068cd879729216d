// The way to a far broker through a proxy: CONNECT of HTTP, or SOCKS5, as a layer next to the socket.
//
//   HTTP    → "CONNECT" SP HOST ":" PORT SP "HTTP/1.1" CRLF field* CRLF      ← status of 200 to 299: open
//   SOCKS5  → 5 count method{count}                       method = 0 nothing | 2 user and password
//           ← 5 method
//           → 1 size user size password                   after method 2
//           ← 1 status                                    status = 0: let in
//           → 5 1 0 address port:16                       address = 1 IPv4 | 3 size name | 4 IPv6
//           ← 5 reply 0 address port:16                   reply = 0: open
//
// Bytes pass as they are once it is open, so that TLS is between this gateway and the far broker, and the proxy sees
// neither messages nor credentials of MQTT. It looks names up. What it refuses is a reason that names the key to look
// at. What comes behind an answer is left for the layer above.
// Spec: RFC 9110 §9.3.6; RFC 1928, RFC 1929.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "broker-core/base/bytes.h"
#include "broker-core/base/result.h"
#include "gateway/net/http_head.h"
#include "gateway/net/layer.h"

namespace furrow::gateway {

inline constexpr std::string_view kProxyLayer = "proxy";

struct ProxyTarget {
  std::string host;  // a name, or an address without brackets
  std::uint16_t port = 0;

  std::string text() const;  // `HOST:PORT`, an IPv6 address in brackets and without its zone
};

struct ProxyLogin {
  std::string user;
  std::string password;
};

// What both kinds have in common: they open, and then bytes pass.
class ProxyClientLayer : public Layer {
 public:
  std::string_view name() const override { return kProxyLayer; }
  Phase phase() const override { return is_open_ ? Phase::Through : Phase::Opening; }
  Result<MutableBytes> read(MutableBytes& bytes, ByteBuffer& below) final;
  Status write(ByteBuffer& plain, ByteBuffer& below) final;

 protected:
  ProxyClientLayer(ProxyTarget target, std::optional<ProxyLogin> login)
      : target_(std::move(target)), login_(std::move(login)) {}

  // Takes what belongs to the answers of the proxy off the front of `bytes`; all of it while it is not open.
  virtual Status negotiate(MutableBytes& bytes, ByteBuffer& below) = 0;
  void note_open() { is_open_ = true; }

  // Why credentials did not do, with the keys that they come from.
  Error refused_login(const std::string& code) const;

  const ProxyTarget target_;
  const std::optional<ProxyLogin> login_;

 private:
  bool is_open_ = false;
};

class HttpProxyLayer final : public ProxyClientLayer {
 public:
  HttpProxyLayer(ProxyTarget target, std::optional<ProxyLogin> login)
      : ProxyClientLayer(std::move(target), std::move(login)), reader_(HttpHeadReader::Kind::Response) {}

  Status begin(ByteBuffer& below) override;

 private:
  Status negotiate(MutableBytes& bytes, ByteBuffer& below) override;
  Error refused(const HttpHead& head) const;

  HttpHeadReader reader_;
};

class SocksProxyLayer final : public ProxyClientLayer {
 public:
  SocksProxyLayer(ProxyTarget target, std::optional<ProxyLogin> login)
      : ProxyClientLayer(std::move(target), std::move(login)) {}

  Status begin(ByteBuffer& below) override;

 private:
  // Which answer is awaited.
  enum class Step : std::uint8_t { Method, Login, Reply };

  Status negotiate(MutableBytes& bytes, ByteBuffer& below) override;
  // How many bytes the answer has that is awaited, as far as `answer_` tells; 0: it has them all.
  Result<std::size_t> missing() const;
  Status take_answer(ByteBuffer& below);
  Status take_method(ByteBuffer& below);
  Status take_login(ByteBuffer& below);
  Status take_reply();
  void say_login(ByteBuffer& below) const;
  void say_request(ByteBuffer& below) const;
  std::uint8_t answer_at(std::size_t index) const { return answer_.data()[index]; }

  Step step_ = Step::Method;
  ByteBuffer answer_;  // what has come of it
};

}  // namespace furrow::gateway
