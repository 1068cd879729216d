#include "gateway/net/tls_context.h"

#include <openssl/err.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "gateway/net/tls_certificate.h"
#include "gateway/secret_file.h"

namespace furrow::gateway {
namespace {

// TLS 1.2. Those without AEAD come last, for devices that have nothing else.
constexpr const char* kSuites = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AESCCM:ECDHE+AES:!PSK:!aNULL";
constexpr const char* kPskSuites =
    "ECDHE-PSK-CHACHA20-POLY1305:ECDHE-PSK-AES128-CBC-SHA256:ECDHE-PSK-AES256-CBC-SHA384:"
    "PSK-AES128-GCM-SHA256:PSK-AES256-GCM-SHA384:PSK-CHACHA20-POLY1305:PSK-AES128-CCM:PSK-AES128-CCM8:"
    "PSK-AES128-CBC-SHA256";
// A pre-shared key of TLS 1.3 belongs to one hash: SHA-256, where nothing else was agreed [RFC 8446 §4.2.11].
constexpr const char* kPskSuites1_3 = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256";
constexpr std::size_t kTicketKeyBytes = 80;  // a name, and keys for AES-256 and HMAC

std::string in_words(const std::filesystem::path& file, std::string_view problem) {
  return file.string() + " " + std::string(problem);
}

int version_number(config::TlsVersion version) {
  return version == config::TlsVersion::V1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

// Whatever becomes of a secret's text, it does not stay in memory that others get.
class Wiped {
 public:
  explicit Wiped(std::string text) : text_(std::move(text)) {}
  ~Wiped() { OPENSSL_cleanse(text_.data(), text_.size()); }
  Wiped(const Wiped&) = delete;
  Wiped& operator=(const Wiped&) = delete;
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace

// SHA-256 of whatever a context is made from, one after the other.
class TlsContext::Digest {
 public:
  Digest() : state_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(state_.get(), EVP_sha256(), nullptr); }

  void add(std::string_view part) {
    const std::uint64_t size = part.size();  // so that two parts are not one longer part
    EVP_DigestUpdate(state_.get(), &size, sizeof size);
    EVP_DigestUpdate(state_.get(), part.data(), part.size());
  }
  std::string take() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    EVP_DigestFinal_ex(state_.get(), bytes.data(), &size);
    return {reinterpret_cast<const char*>(bytes.data()), size};
  }

 private:
  std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>> state_;
};

Result<std::shared_ptr<const TlsContext>> TlsContext::open_server(const config::Listener& listener, WallTime now,
                                                                  const TlsContext* before) {
  const config::ListenerTls& tls = listener.tls;
  std::shared_ptr<TlsContext> context(new TlsContext(End::Server));
  FURROW_TRY_STATUS(context->make(tls.version_min));
  Digest trust;
  Digest contents;
  if (!listener.psk_file.empty()) {
    FURROW_TRY(std::string text, read_secret_file(listener.psk_file));
    const Wiped secret(std::move(text));
    Result<PskTable> psks = PskTable::parse(secret.text());
    if (!psks) return std::move(psks).error().within(listener.psk_file.string());
    context->psks_ = *std::move(psks);
    trust.add(secret.text());
    FURROW_TRY_STATUS(context->use_psk_suites());
  } else {
    FURROW_TRY_STATUS(context->use_certificate(tls.certificate, tls.key, contents));
  }
  if (!tls.client_ca.empty()) {
    Certificates authorities;
    FURROW_TRY_STATUS(context->use_ca(tls.client_ca, trust, authorities));
    if (!tls.crl.empty()) {
      FURROW_TRY_STATUS(context->use_crl(tls.crl, authorities, now, before != nullptr, trust));
    }
    const int if_none = tls.require_client_certificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
    SSL_CTX_set_verify(context->ssl_.get(), SSL_VERIFY_PEER | if_none, nullptr);
    trust.add(tls.require_client_certificate ? "required" : "optional");
  }
  context->username_from_ = tls.username_from;
  context->trust_ = trust.take();
  contents.add(context->trust_);
  context->contents_ = contents.take();
  FURROW_TRY_STATUS(context->set_up_tickets(before));
  return std::shared_ptr<const TlsContext>(std::move(context));
}

Result<std::shared_ptr<const TlsContext>> TlsContext::open_client(const config::Bridge& bridge) {
  const config::BridgeTls& tls = bridge.tls;
  std::shared_ptr<TlsContext> context(new TlsContext(End::Client));
  FURROW_TRY_STATUS(context->make(tls.version_min));
  SSL_CTX& ssl = *context->ssl_;
  Digest trust;
  Digest contents;
  context->server_name_ = tls.server_name;
  context->pins_ = bridge.pins;
  // Whatever the trust, a far certificate is looked at; where there is none to trust (pre-shared keys), none passes.
  SSL_CTX_set_verify(&ssl, SSL_VERIFY_PEER, nullptr);
  if (!bridge.psk_identity.empty()) {
    FURROW_TRY(std::string line, read_secret_line(bridge.psk_from));
    const Wiped secret(std::move(line));
    Result<std::string> key = parse_psk(secret.text());
    if (!key) return std::move(key).error().within(bridge.psk_from.string());
    context->psk_identity_ = bridge.psk_identity;
    context->psk_ = *std::move(key);
    trust.add(bridge.psk_identity);
    trust.add(context->psk_);
    FURROW_TRY_STATUS(context->use_psk_suites());
  } else if (!bridge.pins.empty()) {
    for (const std::string& pin : bridge.pins) trust.add(pin);
  } else if (tls.ca) {
    Certificates authorities;
    FURROW_TRY_STATUS(context->use_ca(*tls.ca, trust, authorities));
  } else {
    if (SSL_CTX_set_default_verify_paths(&ssl) != 1) {
      return invalid("the certificates that this system trusts cannot be read: " + take_openssl_error());
    }
    trust.add("system");
  }
  if (!tls.certificate.empty()) FURROW_TRY_STATUS(context->use_certificate(tls.certificate, tls.key, contents));
  std::string protocols;  // each with its length before it
  for (const std::string& one : tls.alpn) protocols += static_cast<char>(one.size()) + one;
  const auto* const bytes = reinterpret_cast<const unsigned char*>(protocols.data());
  if (!protocols.empty() && SSL_CTX_set_alpn_protos(&ssl, bytes, static_cast<unsigned>(protocols.size())) != 0) {
    return invalid("tls.alpn: " + take_openssl_error());
  }
  trust.add(tls.server_name);
  context->trust_ = trust.take();
  contents.add(context->trust_);
  context->contents_ = contents.take();
  // Sessions are kept by whoever connects, one for each far side.
  SSL_CTX_set_session_cache_mode(&ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  return std::shared_ptr<const TlsContext>(std::move(context));
}

Status TlsContext::make(config::TlsVersion version_min) {
  ERR_clear_error();
  ssl_.reset(SSL_CTX_new(end_ == End::Server ? TLS_server_method() : TLS_client_method()));
  if (!ssl_) return invalid("TLS cannot be set up: " + take_openssl_error());
  SSL_CTX_set_options(ssl_.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                      SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(ssl_.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  const bool is_set = SSL_CTX_set_min_proto_version(ssl_.get(), version_number(version_min)) == 1 &&
                      SSL_CTX_set_max_proto_version(ssl_.get(), 0) == 1 &&
                      SSL_CTX_set_cipher_list(ssl_.get(), kSuites) == 1;
  if (!is_set) return invalid("TLS cannot be set up: " + take_openssl_error());
  return {};
}

Status TlsContext::use_certificate(const std::filesystem::path& certificate, const std::filesystem::path& key,
                                   Digest& contents) {
  FURROW_TRY(const std::string text, read_public_file(certificate));
  FURROW_TRY(const Certificates chain, parse_certificates(text, certificate));
  FURROW_TRY(std::string secret_text, read_secret_file(key));
  const Wiped secret(std::move(secret_text));
  FURROW_TRY(const KeyPtr private_key, parse_key(secret.text(), key));
  ERR_clear_error();
  if (X509_check_private_key(chain.front().get(), private_key.get()) != 1) {
    ERR_clear_error();
    return invalid("the key " + in_words(key, "does not fit the certificate ") + certificate.string() +
                   ": they must be made for each other, and the certificate of this gateway comes first in its file");
  }
  if (SSL_CTX_use_certificate(ssl_.get(), chain.front().get()) != 1) {
    return invalid("the certificate " + in_words(certificate, "cannot be used: ") + take_openssl_error());
  }
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(ssl_.get(), chain[i].get()) != 1) {
      return invalid("the chain in " + in_words(certificate, "cannot be used: ") + take_openssl_error());
    }
  }
  if (SSL_CTX_use_PrivateKey(ssl_.get(), private_key.get()) != 1) {
    return invalid("the key " + in_words(key, "cannot be used: ") + take_openssl_error());
  }
  X509& own = *chain.front();
  certificate_ = CertificateInfo{.file = certificate.string(),
                                 .subject = subject_text(own),
                                 .fingerprint = fingerprint(own),
                                 .not_after = not_after(own)};
  contents.add(text);
  contents.add(secret.text());
  return {};
}

Status TlsContext::use_ca(const std::filesystem::path& file, Digest& trust, Certificates& authorities) {
  FURROW_TRY(const std::string text, read_public_file(file));
  FURROW_TRY(authorities, parse_certificates(text, file));
  X509_STORE* const store = SSL_CTX_get_cert_store(ssl_.get());
  for (const CertificatePtr& one : authorities) {
    if (X509_STORE_add_cert(store, one.get()) != 1) {
      return invalid("a certificate in " + in_words(file, "cannot be trusted: ") + take_openssl_error());
    }
    // Which certificates we take, so that a client that has several can choose.
    if (end_ == End::Server && SSL_CTX_add_client_CA(ssl_.get(), one.get()) != 1) {
      return invalid("a certificate in " + in_words(file, "cannot be named: ") + take_openssl_error());
    }
  }
  // What the operator has written down is trusted, whoever has signed it.
  X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
  trust.add(text);
  ca_file_ = file.string();
  return {};
}

Status TlsContext::use_crl(const std::filesystem::path& file, const Certificates& authorities, WallTime now,
                           bool must_be_valid, Digest& trust) {
  FURROW_TRY(const std::string text, read_public_file(file));
  FURROW_TRY(const Crls lists, parse_crls(text, file));
  X509_STORE* const store = SSL_CTX_get_cert_store(ssl_.get());
  for (const CrlPtr& list : lists) {
    const auto is_signed_by = [&list](const CertificatePtr& authority) {
      EVP_PKEY* const key = X509_get0_pubkey(authority.get());
      return X509_NAME_cmp(X509_CRL_get_issuer(list.get()), X509_get_subject_name(authority.get())) == 0 &&
             key != nullptr && X509_CRL_verify(list.get(), key) == 1;
    };
    if (std::ranges::none_of(authorities, is_signed_by)) {
      ERR_clear_error();
      return invalid("the revocation list " + in_words(file, "is not signed by any CA in ") + ca_file_);
    }
    const ASN1_TIME* const next = X509_CRL_get0_nextUpdate(list.get());
    if (next != nullptr && (!crl_until_ || wall_time(next) < *crl_until_)) crl_until_ = wall_time(next);
    if (X509_STORE_add_crl(store, list.get()) != 1) {
      return invalid("the revocation list " + in_words(file, "cannot be used: ") + take_openssl_error());
    }
  }
  if (must_be_valid && crl_until_ && *crl_until_ < now) {
    return invalid("the revocation list " + in_words(file, "has expired on ") + date_text(*crl_until_) +
                   ", and would refuse every client: get a new one from the CA");
  }
  // Also for the CAs in between, as far as there are lists: see on_verify() of the layer.
  X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  trust.add(text);
  crl_file_ = file.string();
  return {};
}

Status TlsContext::use_psk_suites() {
  // A ticket would be one more identity, and resuming saves nothing that costs.
  SSL_CTX_set_options(ssl_.get(), SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(ssl_.get(), 0);
  if (SSL_CTX_set_cipher_list(ssl_.get(), kPskSuites) != 1 ||
      SSL_CTX_set_ciphersuites(ssl_.get(), kPskSuites1_3) != 1) {
    return invalid("pre-shared keys cannot be set up: " + take_openssl_error());
  }
  return {};
}

Status TlsContext::set_up_tickets(const TlsContext* before) {
  SSL_CTX& ssl = *ssl_;
  SSL_CTX_set_session_cache_mode(&ssl, SSL_SESS_CACHE_OFF);  // what is remembered, clients keep for us
  if (!by_psk()) SSL_CTX_set_num_tickets(&ssl, 1);
  // A session of another trust does not fit this one even if somebody has its ticket.
  const auto* const id = reinterpret_cast<const unsigned char*>(trust_.data());
  std::array<unsigned char, kTicketKeyBytes> keys{};
  const bool takes_over = before != nullptr && before->trust_ == trust_;
  const bool has_keys = takes_over ? SSL_CTX_get_tlsext_ticket_keys(before->ssl_.get(), keys.data(), keys.size()) == 1
                                   : RAND_bytes(keys.data(), keys.size()) == 1;
  const bool is_set = has_keys && SSL_CTX_set_tlsext_ticket_keys(&ssl, keys.data(), keys.size()) == 1 &&
                      SSL_CTX_set_session_id_context(&ssl, id, static_cast<unsigned>(trust_.size())) == 1;
  OPENSSL_cleanse(keys.data(), keys.size());
  if (!is_set) return invalid("tickets cannot be set up: " + take_openssl_error());
  return {};
}

}  // namespace furrow::gateway
