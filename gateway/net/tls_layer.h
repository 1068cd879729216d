// TLS around everything that is above it, at either end.
//
//   phase     bytes from below                        what runs
//   Opening   gathered until a record is whole        the handshake, one flight a job, on another thread
//   Open      decrypted into one buffer for all       SSL_read() and SSL_write() on the loop
//
// Only whole records go to OpenSSL while it opens, so that a peer which drips its bytes buys no job for each. The first
// bytes are looked at before: whoever speaks plain MQTT or HTTP here is named, without an alert that it could not read.
// A client's first job also makes its context, since that reads files: whatever they hold at that moment counts.
//
// The other end is verified by OpenSSL in the job: chain, purpose, revocation and dates as of `judged_at`, and the
// host's name or address at the client's end, where pins replace all of that. Resuming skips the chain, which the
// ticket's keys stand for, but not the dates. A close_notify is an error of Errc::Closed; an end of TCP without one
// cuts nothing off that MQTT would not notice.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "broker-core/base/time.h"
#include "gateway/net/layer.h"
#include "gateway/net/tls_context.h"

namespace furrow::gateway {

// What a client keeps of a far side for the next connection to it. Thread: loop.
struct TlsMemory {
  std::string trust;  // see TlsContext::trust()
  SslSessionPtr session;
};

class TlsLayer final : public Layer {
 public:
  using OpenContext = std::function<Result<std::shared_ptr<const TlsContext>>()>;

  // `judged_at` is the moment that dates of certificates are judged at.
  static std::unique_ptr<TlsLayer> make_server(std::shared_ptr<const TlsContext> context, WallTime judged_at);
  // `open` is called once, on another thread. `host` is whom the connection was made for: a name, which is sent as SNI
  // and verified, or an address, which is verified. The context's server_name goes before it.
  static std::unique_ptr<TlsLayer> make_client(OpenContext open, std::string host, std::shared_ptr<TlsMemory> memory,
                                               WallTime judged_at);
  ~TlsLayer() override;

  std::string_view name() const override { return "TLS"; }
  Phase phase() const override { return phase_; }
  Status begin(ByteBuffer& below) override;
  Result<MutableBytes> read(MutableBytes& bytes, ByteBuffer& below) override;
  Status write(ByteBuffer& plain, ByteBuffer& below) override;
  void end(ByteBuffer& below) override;
  std::unique_ptr<Job> take_job() override;
  Status give_back(std::unique_ptr<Job> job, ByteBuffer& below) override;
  Status judge(WallTime now) override;
  std::string agreed() const override;
  void introduce(Introduction& introduction) const override;

  // Whether a session of before was resumed. REQUIRES: open.
  bool resumed() const;
  // `TLSv1.3`. REQUIRES: open.
  std::string version() const;

 private:
  class Engine;
  class Handshake;

  explicit TlsLayer(std::unique_ptr<Engine> engine);
  Status gather(ByteView bytes);
  void remember_session();

  std::unique_ptr<Engine> engine_;  // away with the job
  std::shared_ptr<TlsMemory> memory_;
  Phase phase_ = Phase::Opening;
  bool has_work_ = false;            // for a job
  bool failed_ = false;              // nothing more is said
  std::unique_ptr<Error> ended_by_;  // behind what was read before it
};

}  // namespace furrow::gateway
