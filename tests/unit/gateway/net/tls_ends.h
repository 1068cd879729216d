// Both ends of TLS against each other in memory, with files of certificates that a test writes.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/net/layer_stack.h"
#include "gateway/net/tls_context.h"
#include "gateway/net/tls_layer.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_pki.h"
#include "tests/unit/gateway/net/layer_fixture.h"

namespace furrow::gateway {

// One end: a stack with TLS in it, and what came of it.
struct TlsEnd {
  explicit TlsEnd(std::unique_ptr<TlsLayer> layer) : tls(*layer), stack(layers(std::move(layer))) {
    note(stack.begin());
    work();
  }

  // Takes bytes from the other end.
  void read(std::string raw) {
    MutableBytes bytes = mutable_bytes(raw);
    while (error.empty()) {
      const Result<MutableBytes> piece = stack.read(bytes);
      if (!piece) return note(piece.error());
      if (piece->empty()) break;
      ++pieces;
      plain += as_text(*piece);
    }
    work();
  }
  void write(std::string_view text) {
    ByteBuffer bytes;
    bytes.append(text);
    note(stack.write(bytes));
  }
  std::string said() {
    std::string text(as_text(stack.output().view()));
    stack.output().clear();
    return text;
  }
  void work() {
    while (error.empty() && !stack.busy()) {
      std::unique_ptr<Layer::Job> job = stack.take_job();
      if (!job) return;
      ++jobs;
      job->run();
      note(stack.give_back(std::move(job)));
      if (error.empty()) read("");
    }
  }
  void note(const Status& status) {
    if (status || !error.empty()) return;
    error = status.error().message();
    closed = status.error().code() == Errc::Closed;
  }
  Introduction introduction() {
    Introduction found{.peer = "192.0.2.1:9"};
    stack.introduce(found);
    return found;
  }

  TlsLayer& tls;
  LayerStack stack;
  std::string plain;
  std::string error;
  bool closed = false;
  int jobs = 0;
  int pieces = 0;
};

// Until neither has anything to say; in pieces of `step` bytes.
inline void converse(TlsEnd& one, TlsEnd& other, std::size_t step = 1 << 20) {
  const auto carry = [step](TlsEnd& from, TlsEnd& to) {
    const std::string said = from.said();
    for (std::size_t at = 0; at < said.size(); at += step) to.read(said.substr(at, step));
    return !said.empty();
  };
  while (carry(one, other) || carry(other, one)) continue;
}

class TlsTest : public testing::Test {
 protected:
  TlsTest() {
    listener_.tls.certificate = write("server.crt", server_.pem());
    listener_.tls.key = write("server.key", server_.key_pem());
    bridge_.tls.ca = write("ca.crt", authority_.pem());
  }

  std::filesystem::path write(const std::string& name, const std::string& text) {
    test::write_file(files_ / name, text);
    return files_ / name;
  }
  test::Identity issue(const test::Wanted& wanted) { return test::make_identity(wanted, &authority_); }
  // Clients have to show a certificate.
  void ask_clients() { listener_.tls.client_ca = files_ / "ca.crt"; }
  void show(const test::Identity& client) {
    bridge_.tls.certificate = write("client.crt", client.pem());
    bridge_.tls.key = write("client.key", client.key_pem());
  }
  void serve(const test::Identity& server) {
    write("server.crt", server.pem());
    write("server.key", server.key_pem());
  }

  Result<std::shared_ptr<const TlsContext>> open(const TlsContext* before = nullptr) {
    return TlsContext::open_server(listener_, today_, before);
  }
  std::unique_ptr<TlsEnd> server() {
    auto context = open();
    EXPECT_TRUE(context) << context.error().message();
    return std::make_unique<TlsEnd>(TlsLayer::make_server(*context, today_));
  }
  std::unique_ptr<TlsEnd> client() {
    const auto open = [bridge = bridge_] { return TlsContext::open_client(bridge); };
    return std::make_unique<TlsEnd>(TlsLayer::make_client(open, host_, memory_, today_));
  }
  // One that speaks this version alone, whatever anybody thinks of it.
  std::unique_ptr<TlsEnd> client_of_version(int version) {
    const auto open = [bridge = bridge_, version]() -> Result<std::shared_ptr<const TlsContext>> {
      auto context = TlsContext::open_client(bridge);
      if (!context) return context;
      const SslPtr probe = (*context)->make_connection();
      SSL_CTX* const ssl = SSL_get_SSL_CTX(probe.get());
      SSL_CTX_set_min_proto_version(ssl, version);
      SSL_CTX_set_max_proto_version(ssl, version);
      if (version < TLS1_2_VERSION) SSL_CTX_set_cipher_list(ssl, "ALL:@SECLEVEL=0");
      return context;
    };
    return std::make_unique<TlsEnd>(TlsLayer::make_client(open, host_, nullptr, today_));
  }
  // A handshake, and what became of both ends.
  void meet() {
    server_end_ = server();
    client_end_ = client();
    converse(*client_end_, *server_end_);
  }
  bool both_open() const { return server_end_->stack.is_open() && client_end_->stack.is_open(); }

  TemporaryDirectory files_;
  WallTime today_ = test::kToday;
  test::Identity authority_ = test::make_authority();
  test::Identity server_ = issue({.common_names = {"gateway"}, .alternative_names = "DNS:a.example.org,IP:127.0.0.1"});
  config::Listener listener_;
  config::Bridge bridge_;
  std::string host_ = "a.example.org";
  std::shared_ptr<TlsMemory> memory_ = std::make_shared<TlsMemory>();
  std::unique_ptr<TlsEnd> server_end_;
  std::unique_ptr<TlsEnd> client_end_;
};

}  // namespace furrow::gateway
