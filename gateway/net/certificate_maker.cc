#include "gateway/net/certificate_maker.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <utility>

#include "broker-core/base/ip.h"
#include "gateway/net/openssl_time.h"
#include "gateway/net/tls_certificate.h"
#include "gateway/net/tls_handles.h"

namespace furrow::gateway {
namespace {

constexpr int kCaDays = 20 * 365;
constexpr int kSerialBits = 127;
// A machine whose clock is a little behind must not find it to be of the future.
constexpr Duration kBackdated = std::chrono::hours(24);

Error failed(std::string_view what) {
  return {Errc::Io, std::string(what) + ": " + take_openssl_error()};
}

std::string text_of(BIO& bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(&bio, &bytes);
  return size <= 0 ? std::string() : std::string(bytes, static_cast<std::size_t>(size));
}

bool set_serial(X509& certificate) {
  const std::unique_ptr<BIGNUM, FreeWith<BN_free>> number(BN_new());
  return number && BN_rand(number.get(), kSerialBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(&certificate)) != nullptr;
}

bool add_extension(X509& certificate, X509& issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, &issuer, &certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  return extension && X509_add_ext(&certificate, extension.get(), -1) == 1;
}

// By its parts, not as a text that OpenSSL would read: a host name is what somebody typed.
bool add_hosts(X509& certificate, const std::vector<std::string>& hosts) {
  const std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>> names(sk_GENERAL_NAME_new_null());
  for (const std::string& host : hosts) {
    GENERAL_NAME* const name = GENERAL_NAME_new();
    if (name == nullptr || sk_GENERAL_NAME_push(names.get(), name) == 0) return false;
    ASN1_STRING* text = nullptr;
    if (IpAddress::parse(host)) {
      text = a2i_IPADDRESS(host.c_str());
      GENERAL_NAME_set0_value(name, GEN_IPADD, text);
    } else {
      text = ASN1_IA5STRING_new();
      if (text != nullptr) ASN1_STRING_set(text, host.data(), static_cast<int>(host.size()));
      GENERAL_NAME_set0_value(name, GEN_DNS, text);
    }
    if (text == nullptr) return false;
  }
  return hosts.empty() || X509_add1_ext_i2d(&certificate, NID_subject_alt_name, names.get(), 0, 0) == 1;
}

struct Parts {
  CertificatePtr certificate;
  KeyPtr key;
};

// Everything but what is special, unsigned.
Result<Parts> begin(const std::string& name, WallTime now, int days) {
  ERR_clear_error();
  Parts parts{CertificatePtr(X509_new()), KeyPtr(EVP_EC_gen("P-256"))};
  if (!parts.certificate || !parts.key) return failed("make a key");
  X509& certificate = *parts.certificate;
  const auto* const text = reinterpret_cast<const unsigned char*>(name.data());
  const bool is_set = X509_set_version(&certificate, 2) == 1 && set_serial(certificate) &&
                      set_certificate_time(X509_getm_notBefore(&certificate), now - kBackdated) &&
                      set_certificate_time(X509_getm_notAfter(&certificate), now + std::chrono::days(days)) &&
                      X509_NAME_add_entry_by_NID(X509_get_subject_name(&certificate), NID_commonName, MBSTRING_UTF8,
                                                 text, static_cast<int>(name.size()), -1, 0) == 1 &&
                      X509_set_pubkey(&certificate, parts.key.get()) == 1;
  if (!is_set) return failed("make a certificate for '" + name + "'");
  return parts;
}

Result<MadeCertificate> finish(const Parts& parts, EVP_PKEY& signer) {
  const BioPtr certificate(BIO_new(BIO_s_mem()));
  const BioPtr key(BIO_new(BIO_s_mem()));
  const bool is_made = X509_sign(parts.certificate.get(), &signer, EVP_sha256()) > 0 &&
                       PEM_write_bio_X509(certificate.get(), parts.certificate.get()) == 1 &&
                       PEM_write_bio_PrivateKey(key.get(), parts.key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1;
  if (!is_made) return failed("sign a certificate");
  return MadeCertificate{text_of(*certificate), text_of(*key)};
}

}  // namespace

Result<MadeCertificate> make_ca(const std::string& name, WallTime now) {
  FURROW_TRY(const Parts parts, begin(name, now, kCaDays));
  X509& own = *parts.certificate;
  const bool is_set = X509_set_issuer_name(&own, X509_get_subject_name(&own)) == 1 &&
                      add_extension(own, own, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                      add_extension(own, own, NID_key_usage, "critical,keyCertSign,cRLSign") &&
                      add_extension(own, own, NID_subject_key_identifier, "hash");
  if (!is_set) return failed("make a CA");
  return finish(parts, *parts.key);
}

Result<MadeCertificate> issue_certificate(const MadeCertificate& ca, const CertificateWish& wish, WallTime now) {
  FURROW_TRY(const Certificates issuers, parse_certificates(ca.certificate, "ca.crt"));
  FURROW_TRY(const KeyPtr signer, parse_key(ca.key, "ca.key"));
  FURROW_TRY(const Parts parts, begin(wish.name, now, wish.days));
  X509& own = *parts.certificate;
  X509& issuer = *issuers.front();
  const std::string use = wish.hosts.empty() ? "clientAuth" : "serverAuth,clientAuth";
  const bool is_set = X509_set_issuer_name(&own, X509_get_subject_name(&issuer)) == 1 &&
                      add_extension(own, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
                      add_extension(own, issuer, NID_key_usage, "critical,digitalSignature") &&
                      add_extension(own, issuer, NID_ext_key_usage, use) &&
                      add_extension(own, issuer, NID_subject_key_identifier, "hash") &&
                      add_extension(own, issuer, NID_authority_key_identifier, "keyid") && add_hosts(own, wish.hosts);
  if (!is_set) return failed("make a certificate for '" + wish.name + "'");
  return finish(parts, *signer);
}

}  // namespace furrow::gateway
