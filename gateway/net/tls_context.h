// What one end of TLS shows and what it asks of the other: an SSL_CTX, made whole from files and never changed.
//
// A context comes from its files all at once or not at all: the key fits the certificate, the revocation list is signed
// by the CA and in date, every line of a file of keys makes sense. Whoever wants newer files makes a new context;
// connections keep the one that they began with. So nothing of an old CA stays behind in a new store, and there is no
// half-made context that somebody could use.
//
// What is spoken: TLS 1.2 and 1.3, ephemeral keys, AEAD first; no renegotiation, no compression. With pre-shared keys
// nothing but suites of theirs is offered or taken, and there is no certificate, so that neither end can slip into
// another kind of trust. A listener's PSK-AES128-… without ephemeral keys is for sensors that have no curves.
//
// Resumption: a listener's tickets are sealed with keys of its own, which a successor takes over as long as it trusts
// the same (CA, revocations, keys, what it requires); after a change of that every ticket is worthless. Thread: any,
// since it does not change.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker-core/base/result.h"
#include "broker-core/base/time.h"
#include "config/config.h"
#include "gateway/net/psk_table.h"
#include "gateway/net/tls_handles.h"

namespace furrow::gateway {

// One of our own certificates.
struct CertificateInfo {
  std::string file;
  std::string subject;
  std::string fingerprint;
  WallTime not_after{};
};

class TlsContext {
 public:
  enum class End : std::uint8_t { Server, Client };

  // Of a listener. `now` judges the revocation list. `before` is what the listener has had until now, or nullptr;
  // beside it an outdated revocation list is not taken, while at start it is better than none: it refuses everybody.
  static Result<std::shared_ptr<const TlsContext>> open_server(const config::Listener& listener, WallTime now,
                                                               const TlsContext* before = nullptr);
  // Of a bridge.
  static Result<std::shared_ptr<const TlsContext>> open_client(const config::Bridge& bridge);

  // A new connection: neither end of it, BIO nor peer is set.
  SslPtr make_connection() const { return SslPtr(SSL_new(ssl_.get())); }

  End end() const { return end_; }
  bool by_psk() const { return psks_.has_value() || !psk_identity_.empty(); }
  // Server. REQUIRES: by_psk().
  const PskTable& psks() const { return *psks_; }
  // Client.
  const std::string& psk_identity() const { return psk_identity_; }
  const std::string& psk() const { return psk_; }
  const std::vector<std::string>& pins() const { return pins_; }
  const std::string& server_name() const { return server_name_; }

  config::UsernameFrom username_from() const { return username_from_; }
  // For messages: where the trust comes from, and the revocations.
  const std::string& ca_file() const { return ca_file_; }
  const std::string& crl_file() const { return crl_file_; }
  // When the revocation list stops being valid; nothing without one.
  const std::optional<WallTime>& crl_until() const { return crl_until_; }
  // Our own certificate; nothing with pre-shared keys, or without one.
  const std::optional<CertificateInfo>& certificate() const { return certificate_; }

  // Two contexts that trust the same have the same.
  const std::string& trust() const { return trust_; }
  // Two contexts from the same contents of files have the same.
  const std::string& contents() const { return contents_; }

 private:
  class Digest;

  explicit TlsContext(End end) : end_(end) {}
  Status make(config::TlsVersion version_min);
  Status use_certificate(const std::filesystem::path& certificate, const std::filesystem::path& key, Digest& contents);
  // Trusts what is in `file` and nothing else.
  Status use_ca(const std::filesystem::path& file, Digest& trust, Certificates& authorities);
  Status use_crl(const std::filesystem::path& file, const Certificates& authorities, WallTime now, bool must_be_valid,
                 Digest& trust);
  Status use_psk_suites();
  Status set_up_tickets(const TlsContext* before);

  const End end_;
  SslContextPtr ssl_;
  std::optional<PskTable> psks_;
  std::string psk_identity_;
  std::string psk_;
  std::vector<std::string> pins_;
  std::string server_name_;
  config::UsernameFrom username_from_ = config::UsernameFrom::Cn;
  std::string ca_file_;
  std::string crl_file_;
  std::optional<WallTime> crl_until_;
  std::optional<CertificateInfo> certificate_;
  std::string trust_;
  std::string contents_;
};

}  // namespace furrow::gateway
