#include "gateway/net/tls_layer.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "broker-core/base/check.h"
#include "broker-core/base/ip.h"
#include "broker-core/base/printable.h"
#include "gateway/net/openssl_time.h"
#include "gateway/net/tls_certificate.h"
#include "gateway/net/tls_diagnosis.h"

namespace furrow::gateway {
namespace {

constexpr std::size_t kRecordHeaderBytes = 5;
constexpr std::size_t kRecordBytesMax = 16 * KiB + 2 * KiB;  // RFC 5246 §6.2.3; of TLS 1.3 less
// Types of records.
constexpr std::uint8_t kTypeFirst = 0x14;
constexpr std::uint8_t kTypeAlert = 0x15;
constexpr std::uint8_t kTypeHandshake = 0x16;
constexpr std::uint8_t kTypeLast = 0x17;

// What all layers of the loop decrypt into: a piece is handled before the next one is read.
MutableBytes shared_piece() {
  static std::array<std::uint8_t, Layer::kPieceBytes> buffer;
  return buffer;
}

std::string_view without_zone(std::string_view host) {
  return host.substr(0, host.find('%'));
}

// What TLS says of the last failure on this thread. Whatever lies beneath it, as of a signature, stands before it in
// the queue and says less.
unsigned long take_tls_error() {
  const unsigned long first = ERR_peek_error();
  for (unsigned long one = first; one != 0; one = ERR_get_error()) {
    if (ERR_GET_LIB(one) == ERR_LIB_SSL) return one;
  }
  return first;
}

SslSessionPtr make_psk_session(SSL* ssl, std::string_view key) {
  constexpr std::array<unsigned char, 2> kAes128GcmSha256{0x13, 0x01};
  SslSessionPtr session(SSL_SESSION_new());
  const SSL_CIPHER* const suite = SSL_CIPHER_find(ssl, kAes128GcmSha256.data());
  const auto* const bytes = reinterpret_cast<const unsigned char*>(key.data());
  const bool is_made = session && suite != nullptr &&
                       SSL_SESSION_set1_master_key(session.get(), bytes, key.size()) == 1 &&
                       SSL_SESSION_set_cipher(session.get(), suite) == 1 &&
                       SSL_SESSION_set_protocol_version(session.get(), TLS1_3_VERSION) == 1;
  return is_made ? std::move(session) : nullptr;
}

}  // namespace

// The SSL object and all that it touches: one thread at a time has it.
class TlsLayer::Engine {
 public:
  Engine(std::shared_ptr<const TlsContext> context, WallTime judged_at)
      : context_(std::move(context)), judged_at_(judged_at) {}
  Engine(OpenContext open, std::string host, WallTime judged_at)
      : open_(std::move(open)), host_(std::move(host)), judged_at_(judged_at) {
    if (host_.ends_with('.')) host_.pop_back();  // the root, which no certificate names
  }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  bool is_client() const { return open_ != nullptr; }
  void offer(std::string trust, SslSessionPtr session) {
    offered_trust_ = std::move(trust);
    offered_ = std::move(session);
  }

  // Takes bytes of the handshake; the error names who does not speak TLS. True: there is work for a job.
  Result<bool> gather(ByteView bytes) {
    arrived_.append(bytes);
    if (arrived_.empty()) return false;
    const std::uint8_t type = arrived_.data()[0];
    const bool begins = is_client() ? type == kTypeHandshake || type == kTypeAlert : type == kTypeHandshake;
    if (!has_begun_ && !begins) {
      if (arrived_.size() < kTlsGreetingBytes) return false;
      const TlsContext::End end = is_client() ? TlsContext::End::Client : TlsContext::End::Server;
      return invalid(describe_no_tls(arrived_.view().first(kTlsGreetingBytes), end));
    }
    has_begun_ = true;
    while (arrived_.size() - whole_ >= kRecordHeaderBytes) {
      const std::uint8_t* const header = arrived_.data() + whole_;
      const std::size_t size = std::size_t{header[3]} << 8U | header[4];
      if (header[0] < kTypeFirst || header[0] > kTypeLast || header[1] != 3 || size > kRecordBytesMax) {
        return invalid("something that is no record of TLS came in the middle of the handshake");
      }
      if (arrived_.size() - whole_ < kRecordHeaderBytes + size) break;
      whole_ += kRecordHeaderBytes + size;
    }
    return whole_ > 0;
  }

  // One flight; on any thread.
  void shake_hands() {
    ERR_clear_error();
    if (!ssl_) outcome_ = set_up();
    if (!outcome_) return;
    const int result = SSL_do_handshake(ssl_.get());
    if (result == 1) {
      is_open_ = true;
      outcome_ = judge_peer();
    } else if (SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ) {
      fault_.code = take_tls_error();
      outcome_ = invalid(describe(fault_, *context_, wanted_host()));
    }
    ERR_clear_error();  // the queue belongs to the thread, which others use next
  }
  const Status& outcome() const { return outcome_; }
  bool is_open() const { return is_open_; }
  ByteBuffer& said() { return said_; }
  const std::optional<std::string>& user() const { return user_; }
  SSL* ssl() { return ssl_.get(); }
  const std::string& trust() const { return context_->trust(); }
  SslSessionPtr take_session() { return std::move(received_); }

  enum class ReadEnd : std::uint8_t { Nothing, Full, Goodbye, Fault };
  struct ReadResult {
    std::size_t size = 0;
    ReadEnd end = ReadEnd::Nothing;
  };
  // Decrypts `bytes`, and what came before them, into `plain`; takes from the front of `bytes`.
  ReadResult read(MutableBytes& bytes, MutableBytes plain, ByteBuffer& below) {
    const Lent lent(*this, bytes, below);
    ReadResult result;
    while (has_input()) {
      if (result.size == plain.size()) {
        result.end = ReadEnd::Full;
        break;
      }
      std::size_t count = 0;
      clear_errors();
      if (SSL_read_ex(ssl_.get(), plain.data() + result.size, plain.size() - result.size, &count) == 1) {
        result.size += count;
        continue;
      }
      const int why = SSL_get_error(ssl_.get(), 0);
      if (why != SSL_ERROR_WANT_READ) {
        result.end = why == SSL_ERROR_ZERO_RETURN ? ReadEnd::Goodbye : ReadEnd::Fault;
        fault_.code = take_tls_error();
        ERR_clear_error();
      }
      break;
    }
    if (arrived_.empty()) arrived_.release();
    return result;
  }
  // The dates of the peer's certificate, if it has shown one and they count. REQUIRES: is_open().
  Status judge_dates(WallTime now) {
    X509* const peer = SSL_get0_peer_certificate(ssl_.get());
    if (peer == nullptr || !context_->pins().empty()) return {};
    long verify = X509_V_OK;
    if (not_after(*peer) < now) verify = X509_V_ERR_CERT_HAS_EXPIRED;
    if (not_before(*peer) > now) verify = X509_V_ERR_CERT_NOT_YET_VALID;
    if (verify == X509_V_OK) return {};
    note(*peer, verify, 0);
    fault_.code = ERR_PACK(ERR_LIB_SSL, 0, SSL_R_CERTIFICATE_VERIFY_FAILED);
    return invalid(describe(fault_, *context_, wanted_host()));
  }
  std::string explain_fault() const { return describe(fault_, *context_, wanted_host()); }

  bool write(ByteView plain, ByteBuffer& below) {
    MutableBytes nothing;
    const Lent lent(*this, nothing, below);
    std::size_t count = 0;
    clear_errors();
    const bool is_written = SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &count) == 1 && count == plain.size();
    if (!is_written) {
      fault_.code = take_tls_error();
      ERR_clear_error();
    }
    return is_written;
  }
  void say_goodbye(ByteBuffer& below) {
    MutableBytes nothing;
    const Lent lent(*this, nothing, below);
    (void)SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }

 private:
  // What a call may read from and write to.
  class Lent {
   public:
    Lent(Engine& engine, MutableBytes& bytes, ByteBuffer& below) : engine_(engine), bytes_(bytes) {
      engine_.borrowed_ = bytes;
      engine_.out_ = &below;
    }
    ~Lent() {
      bytes_ = std::exchange(engine_.borrowed_, {});
      engine_.out_ = &engine_.said_;
    }
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;

   private:
    Engine& engine_;
    MutableBytes& bytes_;
  };

  // What others have left on this thread would be taken for the outcome of the next call. ERR_clear_error() by itself
  // costs a tenth of what a small record does.
  static void clear_errors() {
    if (ERR_peek_error() != 0) ERR_clear_error();
  }
  bool has_input() const { return !arrived_.empty() || !borrowed_.empty() || SSL_has_pending(ssl_.get()) == 1; }
  const std::string& wanted_host() const { return context_->server_name().empty() ? host_ : context_->server_name(); }

  Status set_up() {
    if (is_client()) {
      FURROW_TRY(context_, open_());
    }
    ssl_ = context_->make_connection();
    BIO* const bio = ssl_ ? BIO_new(bio_method()) : nullptr;
    if (bio == nullptr) return invalid("no memory for TLS");
    BIO_set_data(bio, this);
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_app_data(ssl_.get(), this);
    SSL_set_verify(ssl_.get(), SSL_get_verify_mode(ssl_.get()), on_verify);
    set_verify_time(*SSL_get0_param(ssl_.get()), judged_at_);
    if (is_client()) return set_up_client();
    SSL_set_accept_state(ssl_.get());
    if (context_->by_psk()) {
      SSL_set_psk_server_callback(ssl_.get(), on_psk_of_client);
      SSL_set_psk_find_session_callback(ssl_.get(), on_find_psk_session);
    }
    return {};
  }

  Status set_up_client() {
    SSL* const ssl = ssl_.get();
    SSL_set_connect_state(ssl);
    // The context was made for this connection alone.
    SSL_CTX* const context = SSL_get_SSL_CTX(ssl);
    SSL_CTX_sess_set_new_cb(context, on_new_session);
    if (!context_->pins().empty()) SSL_CTX_set_cert_verify_callback(context, on_verify_pin, nullptr);
    if (context_->by_psk()) {
      SSL_set_psk_client_callback(ssl, on_psk_wanted);
      SSL_set_psk_use_session_callback(ssl, on_use_psk_session);
    }
    const std::string host(without_zone(wanted_host()));
    X509_VERIFY_PARAM* const wanted = SSL_get0_param(ssl);
    // A certificate without alternative names is for nobody: what a common name means was never written down.
    X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    const bool is_address = IpAddress::parse(host).has_value();
    const bool is_set = is_address ? X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) == 1
                                   : X509_VERIFY_PARAM_set1_host(wanted, host.c_str(), host.size()) == 1 &&
                                         SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
    if (!is_set) return invalid("'" + printable(host, 100) + "' cannot be the name of a certificate");
    if (offered_ && offered_trust_ == context_->trust()) SSL_set_session(ssl, offered_.get());
    offered_.reset();
    return {};
  }

  // What OpenSSL does not look at.
  Status judge_peer() {
    X509* const peer = SSL_get0_peer_certificate(ssl_.get());
    const bool resumed = SSL_session_reused(ssl_.get()) == 1;
    if (resumed) FURROW_TRY_STATUS(judge_dates(judged_at_));
    if (context_->by_psk()) {
      const SSL_CIPHER* const suite = SSL_get_current_cipher(ssl_.get());
      if (!resumed && SSL_CIPHER_get_auth_nid(suite) != NID_auth_psk) return invalid("no pre-shared key was used");
      if (!is_client()) user_ = fault_.psk_identity;
    } else if (peer != nullptr && !is_client()) {
      FURROW_TRY(user_, vouched_name(*peer, context_->username_from()));
    }
    return {};
  }

  void note(X509& certificate, long verify, int depth) {
    fault_.verify = verify;
    fault_.depth = depth;
    fault_.subject = subject_text(certificate);
    fault_.issuer = issuer_text(certificate);
    fault_.not_before = not_before(certificate);
    fault_.not_after = not_after(certificate);
  }

  // --- the BIO ---

  static BIO_METHOD* bio_method() {
    static BIO_METHOD* const kMethod = [] {
      BIO_METHOD* const method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "layer");
      FURROW_CHECK(method != nullptr);
      BIO_meth_set_create(method, [](BIO* bio) {
        BIO_set_init(bio, 1);
        return 1;
      });
      BIO_meth_set_read(method, [](BIO* bio, char* to, int size) {
        BIO_clear_retry_flags(bio);
        const std::size_t count = static_cast<Engine*>(BIO_get_data(bio))->take(to, static_cast<std::size_t>(size));
        if (count == 0) BIO_set_retry_read(bio);
        return count == 0 ? -1 : static_cast<int>(count);
      });
      BIO_meth_set_write(method, [](BIO* bio, const char* from, int size) {
        static_cast<Engine*>(BIO_get_data(bio))->out_->append(std::string_view(from, static_cast<std::size_t>(size)));
        return size;
      });
      BIO_meth_set_ctrl(method, [](BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1L : 0L; });
      return method;
    }();
    return kMethod;
  }

  std::size_t take(char* to, std::size_t size) {
    if (!arrived_.empty()) {
      const std::size_t count = std::min(size, is_open_ ? arrived_.size() : whole_);
      std::memcpy(to, arrived_.data(), count);
      arrived_.consume(count);
      if (!is_open_) whole_ -= count;
      return count;
    }
    const std::size_t count = std::min(size, borrowed_.size());
    if (count > 0) std::memcpy(to, borrowed_.data(), count);
    borrowed_ = borrowed_.subspan(count);
    return count;
  }

  // --- what OpenSSL asks ---

  static Engine& of(const SSL* ssl) { return *static_cast<Engine*>(SSL_get_app_data(ssl)); }
  static Engine& of(X509_STORE_CTX* store) {
    return of(static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx())));
  }

  static int on_verify(int is_fine, X509_STORE_CTX* store) {
    if (is_fine == 1) return 1;
    const int error = X509_STORE_CTX_get_error(store);
    const int depth = X509_STORE_CTX_get_error_depth(store);
    // A CA in between need not be watched over by its own issuer's list.
    if (error == X509_V_ERR_UNABLE_TO_GET_CRL && depth > 0) {
      X509_STORE_CTX_set_error(store, X509_V_OK);
      return 1;
    }
    Engine& engine = of(store);
    X509* const own = X509_STORE_CTX_get0_cert(store);
    X509* const current = X509_STORE_CTX_get_current_cert(store);
    const bool is_own = current == nullptr || is_of_unknown_origin(error);
    if (X509* const one = is_own ? own : current) engine.note(*one, error, is_own ? 0 : depth);
    if (own != nullptr) {
      constexpr std::size_t kShownHosts = 3;
      engine.fault_.hosts = host_names(*own, kShownHosts);
      engine.fault_.pin = public_key_pin(*own);
    }
    return 0;
  }

  static int on_verify_pin(X509_STORE_CTX* store, void*) {
    X509* const own = X509_STORE_CTX_get0_cert(store);
    const std::vector<std::string>& pins = of(store).context_->pins();
    if (own != nullptr && std::ranges::find(pins, public_key_pin(*own)) != pins.end()) {
      X509_STORE_CTX_set_error(store, X509_V_OK);
      return 1;
    }
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return on_verify(0, store);
  }

  static int on_new_session(SSL* ssl, SSL_SESSION* session) {
    of(ssl).received_.reset(session);
    return 1;  // it is ours now
  }

  // The key of an identity. Nobody learns by the answer, or by its time, whether there is one: an unknown identity has
  // a key that nobody knows.
  std::string find_psk(std::string_view identity) {
    fault_.psk_identity = identity;
    const std::string* const known = context_->psks().find(identity);
    fault_.psk_is_unknown = known == nullptr;
    std::array<unsigned char, 32> invented{};
    FURROW_CHECK(RAND_bytes(invented.data(), static_cast<int>(invented.size())) == 1);
    return known != nullptr ? *known : std::string(invented.begin(), invented.end());
  }

  static unsigned copy_psk(std::string_view key, unsigned char* to, unsigned size_max) {
    if (key.size() > size_max) return 0;
    std::copy(key.begin(), key.end(), to);
    return static_cast<unsigned>(key.size());
  }

  static unsigned on_psk_of_client(SSL* ssl, const char* identity, unsigned char* key, unsigned size_max) {
    return copy_psk(of(ssl).find_psk(identity == nullptr ? "" : identity), key, size_max);
  }

  static int on_find_psk_session(SSL* ssl, const unsigned char* identity, std::size_t size, SSL_SESSION** session) {
    const std::string_view text(reinterpret_cast<const char*>(identity), size);
    *session = make_psk_session(ssl, of(ssl).find_psk(text)).release();
    return *session == nullptr ? 0 : 1;
  }

  static unsigned on_psk_wanted(SSL* ssl, const char*, char* identity, unsigned identity_size_max, unsigned char* key,
                                unsigned key_size_max) {
    const TlsContext& context = *of(ssl).context_;
    const std::string& name = context.psk_identity();
    if (name.size() >= identity_size_max) return 0;
    std::memcpy(identity, name.c_str(), name.size() + 1);
    return copy_psk(context.psk(), key, key_size_max);
  }

  static int on_use_psk_session(SSL* ssl, const EVP_MD* hash, const unsigned char** identity, std::size_t* size,
                                SSL_SESSION** session) {
    *session = nullptr;
    if (hash != nullptr && !EVP_MD_is_a(hash, "SHA2-256")) return 1;  // the far side wants another hash: no key
    const TlsContext& context = *of(ssl).context_;
    *identity = reinterpret_cast<const unsigned char*>(context.psk_identity().data());
    *size = context.psk_identity().size();
    *session = make_psk_session(ssl, context.psk()).release();
    return *session == nullptr ? 0 : 1;
  }

  const OpenContext open_;
  std::shared_ptr<const TlsContext> context_;
  std::string host_;
  const WallTime judged_at_;
  SslPtr ssl_;

  ByteBuffer arrived_;        // while opening, and what came behind the end of it
  std::size_t whole_ = 0;     // of these, in whole records
  MutableBytes borrowed_;     // while read() is called
  ByteBuffer said_;           // by a job
  ByteBuffer* out_ = &said_;  // where the BIO writes
  bool has_begun_ = false;
  bool is_open_ = false;
  Status outcome_;
  TlsFault fault_;
  std::optional<std::string> user_;
  std::string offered_trust_;
  SslSessionPtr offered_;
  SslSessionPtr received_;
};

class TlsLayer::Handshake final : public Layer::Job {
 public:
  explicit Handshake(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}
  void run() override { engine_->shake_hands(); }
  std::unique_ptr<Engine> take() { return std::move(engine_); }

 private:
  std::unique_ptr<Engine> engine_;
};

TlsLayer::TlsLayer(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}
TlsLayer::~TlsLayer() = default;

std::unique_ptr<TlsLayer> TlsLayer::make_server(std::shared_ptr<const TlsContext> context, WallTime judged_at) {
  return std::unique_ptr<TlsLayer>(new TlsLayer(std::make_unique<Engine>(std::move(context), judged_at)));
}

std::unique_ptr<TlsLayer> TlsLayer::make_client(OpenContext open, std::string host, std::shared_ptr<TlsMemory> memory,
                                                WallTime judged_at) {
  auto engine = std::make_unique<Engine>(std::move(open), std::move(host), judged_at);
  if (memory && memory->session) engine->offer(memory->trust, std::move(memory->session));  // each is used once
  std::unique_ptr<TlsLayer> layer(new TlsLayer(std::move(engine)));
  layer->memory_ = std::move(memory);
  return layer;
}

// --- opening ---

Status TlsLayer::begin(ByteBuffer&) {
  has_work_ = engine_->is_client();
  return {};
}

Status TlsLayer::gather(ByteView bytes) {
  FURROW_TRY(const bool has_work, engine_->gather(bytes));
  has_work_ = has_work_ || has_work;
  return {};
}

std::unique_ptr<Layer::Job> TlsLayer::take_job() {
  if (!std::exchange(has_work_, false)) return nullptr;
  return std::make_unique<Handshake>(std::move(engine_));
}

Status TlsLayer::give_back(std::unique_ptr<Job> job, ByteBuffer& below) {
  engine_ = static_cast<Handshake&>(*job).take();
  below.append(engine_->said().view());
  engine_->said().release();
  if (const Status& outcome = engine_->outcome(); !outcome) {
    failed_ = true;
    return outcome.error();
  }
  if (engine_->is_open()) phase_ = Phase::Open;
  remember_session();
  return {};
}

Status TlsLayer::judge(WallTime now) {
  return phase_ == Phase::Open ? engine_->judge_dates(now) : Status();
}

std::string TlsLayer::agreed() const {
  std::string text = version();
  if (X509* const peer = SSL_get0_peer_certificate(engine_->ssl())) {
    text += ", certificate of " + subject_text(*peer) + ", which ends " + date_text(not_after(*peer));
  }
  if (const STACK_OF(X509_NAME)* const authorities = SSL_get0_peer_CA_list(engine_->ssl());
      authorities != nullptr && sk_X509_NAME_num(authorities) > 0) {
    text += ", and it asks for ours";
  }
  return text;
}

void TlsLayer::introduce(Introduction& introduction) const {
  if (engine_->user()) introduction.vouched_user = engine_->user();
}

// --- open ---

Result<MutableBytes> TlsLayer::read(MutableBytes& bytes, ByteBuffer& below) {
  if (phase_ == Phase::Opening) {
    FURROW_TRY_STATUS(gather(std::exchange(bytes, {})));
    return MutableBytes();
  }
  if (ended_by_) {
    bytes = {};
    return *ended_by_;
  }
  const MutableBytes piece = shared_piece();
  const Engine::ReadResult result = engine_->read(bytes, piece, below);
  remember_session();
  if (result.end == Engine::ReadEnd::Goodbye) {
    ended_by_ = std::make_unique<Error>(Errc::Closed, "closed by the peer");
  } else if (result.end == Engine::ReadEnd::Fault) {
    failed_ = true;
    ended_by_ = std::make_unique<Error>(invalid(engine_->explain_fault()));
  }
  if (result.size == 0 && ended_by_) {
    bytes = {};
    return *ended_by_;
  }
  return piece.first(result.size);
}

Status TlsLayer::write(ByteBuffer& plain, ByteBuffer& below) {
  const std::size_t size = std::min(plain.size(), kPieceBytes);
  if (!engine_->write(plain.view().first(size), below)) {
    failed_ = true;
    return invalid(engine_->explain_fault());
  }
  plain.consume(size);
  return {};
}

void TlsLayer::end(ByteBuffer& below) {
  if (!failed_) engine_->say_goodbye(below);
}

void TlsLayer::remember_session() {
  if (!memory_) return;
  if (SslSessionPtr session = engine_->take_session()) {
    memory_->trust = engine_->trust();
    memory_->session = std::move(session);
  }
}

bool TlsLayer::resumed() const {
  return SSL_session_reused(engine_->ssl()) == 1;
}

std::string TlsLayer::version() const {
  return SSL_get_version(engine_->ssl());
}

}  // namespace furrow::gateway
