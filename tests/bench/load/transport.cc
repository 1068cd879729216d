#include "tests/bench/load/transport.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <cstddef>

#include "tests/bench/load/fail.h"

namespace furrow::load {
namespace {

[[noreturn]] void fail_tls(const std::string& what) {
  fail(what + ": " + ERR_error_string(ERR_get_error(), nullptr));
}

// TLS over two BIOs in memory. Certificates are not looked at: that is not what is measured.
class Tls final : public Transport {
 public:
  Tls() : ssl_(SSL_new(context())) {
    if (ssl_ == nullptr) fail_tls("make a TLS connection");
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_, in_, out_);  // which owns them from now on
    SSL_set_connect_state(ssl_);
  }
  ~Tls() override { SSL_free(ssl_); }
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;

  void open(std::string& wire) override {
    (void)SSL_do_handshake(ssl_);
    take_output(wire);
  }

  void write(std::string_view plain, std::string& wire) override {
    if (SSL_is_init_finished(ssl_) == 0) {
      waiting_.append(plain);
      return;
    }
    if (SSL_write(ssl_, plain.data(), static_cast<int>(plain.size())) <= 0) fail_tls("write by TLS");
    take_output(wire);
  }

  void read(std::string_view came, std::string& plain, std::string& wire) override {
    BIO_write(in_, came.data(), static_cast<int>(came.size()));
    std::array<char, 16384> buffer;
    int count = 0;
    while ((count = SSL_read(ssl_, buffer.data(), static_cast<int>(buffer.size()))) > 0) {
      plain.append(buffer.data(), static_cast<std::size_t>(count));
    }
    if (SSL_get_error(ssl_, count) != SSL_ERROR_WANT_READ) fail_tls("read by TLS");
    take_output(wire);
    if (waiting_.empty() || SSL_is_init_finished(ssl_) == 0) return;
    write(waiting_, wire);
    waiting_.clear();
  }

 private:
  static SSL_CTX* context() {
    static SSL_CTX* const shared = SSL_CTX_new(TLS_client_method());
    return shared;
  }

  void take_output(std::string& wire) {
    const std::size_t size = BIO_ctrl_pending(out_);
    if (size == 0) return;
    const std::size_t before = wire.size();
    wire.resize(before + size);
    BIO_read(out_, wire.data() + before, static_cast<int>(size));
  }

  SSL* ssl_;
  BIO* in_ = nullptr;
  BIO* out_ = nullptr;
  std::string waiting_;
};

// Each write is one binary frame, masked with zeroes: the broker has to unmask it all the same (RFC 6455 §5.3).
class WebSocket final : public Transport {
 public:
  void open(std::string& wire) override {
    wire +=
        "GET /mqtt HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: mqtt\r\n\r\n";
  }

  void write(std::string_view plain, std::string& wire) override {
    if (!is_open_) {
      waiting_.append(plain);
      return;
    }
    const std::size_t size = plain.size();
    wire += '\x82';
    if (size < 126) {
      wire += static_cast<char>(0x80 | size);
    } else {
      const int bytes = size < 65536 ? 2 : 8;
      wire += static_cast<char>(0x80 | (bytes == 2 ? 126 : 127));
      for (int i = bytes - 1; i >= 0; --i) wire += static_cast<char>(size >> (8 * i));
    }
    wire.append(4, '\0');
    wire.append(plain);
  }

  void read(std::string_view came, std::string& plain, std::string& wire) override {
    rest_.append(came);
    if (!is_open_) {
      const std::size_t end = rest_.find("\r\n\r\n");
      if (end == std::string::npos) return;
      if (!rest_.starts_with("HTTP/1.1 101")) fail("the broker answered " + rest_.substr(0, rest_.find('\r')));
      rest_.erase(0, end + 4);
      is_open_ = true;
      if (!waiting_.empty()) write(waiting_, wire);
    }
    std::string_view bytes = rest_;
    while (take_frame(bytes, plain)) {
    }
    rest_.erase(0, rest_.size() - bytes.size());
  }

 private:
  // A server does not mask. What is left of a frame stays for the next time.
  static bool take_frame(std::string_view& bytes, std::string& plain) {
    if (bytes.size() < 2) return false;
    std::size_t size = static_cast<std::uint8_t>(bytes[1]);
    std::size_t header = 2;
    if (size >= 126) {
      const std::size_t count = size == 126 ? 2 : 8;
      header += count;
      if (bytes.size() < header) return false;
      size = 0;
      for (std::size_t i = 2; i < header; ++i) size = size << 8 | static_cast<std::uint8_t>(bytes[i]);
    }
    if (bytes.size() < header + size) return false;
    if ((static_cast<std::uint8_t>(bytes[0]) & 0x0F) > 2) fail("the broker sent a control frame");
    plain.append(bytes.substr(header, size));
    bytes.remove_prefix(header + size);
    return true;
  }

  bool is_open_ = false;
  std::string waiting_;
  std::string rest_;
};

}  // namespace

std::unique_ptr<Transport> Transport::make(Kind kind) {
  switch (kind) {
    case Kind::Tcp:
      return nullptr;
    case Kind::Tls:
      return std::make_unique<Tls>();
    case Kind::WebSocket:
      return std::make_unique<WebSocket>();
  }
  return nullptr;
}

}  // namespace furrow::load
