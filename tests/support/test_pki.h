// Certificates for tests, made in memory: authorities, whoever they sign, and lists of whom they revoke.
#pragma once

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "broker-core/base/check.h"
#include "broker-core/base/time.h"
#include "gateway/net/tls_certificate.h"
#include "gateway/net/tls_handles.h"

namespace furrow::test {

// The day that tests are on.
inline const WallTime kToday{std::chrono::sys_days(std::chrono::year(2026) / 11 / 24)};

inline std::time_t seconds_of(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}

// What a certificate is to say.
struct Wanted {
  std::vector<std::string> common_names = {"sensor-1"};
  std::string alternative_names = {};  // as OpenSSL writes them: "DNS:a.example.org,IP:127.0.0.1"
  WallTime from = kToday - std::chrono::days(1);
  WallTime until = kToday + std::chrono::days(30);
  bool is_authority = false;
  std::string use = {};  // extendedKeyUsage: "clientAuth"
};

struct Identity {
  gateway::CertificatePtr certificate;
  gateway::KeyPtr key;

  std::string pem() const {
    const gateway::BioPtr bio(BIO_new(BIO_s_mem()));
    FURROW_CHECK(PEM_write_bio_X509(bio.get(), certificate.get()) == 1);
    return text_of(*bio);
  }
  std::string key_pem() const {
    const gateway::BioPtr bio(BIO_new(BIO_s_mem()));
    FURROW_CHECK(PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
    return text_of(*bio);
  }
  static std::string text_of(BIO& bio) {
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(&bio, &bytes);
    return {bytes, static_cast<std::size_t>(size)};
  }
};

inline void add_extension(X509& certificate, X509& issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, &issuer, &certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  FURROW_CHECK(extension != nullptr);
  X509_add_ext(&certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// Signed by `issuer`, or by itself.
inline Identity make_identity(const Wanted& wanted, const Identity* issuer = nullptr) {
  static long serial = 1;
  Identity made{gateway::CertificatePtr(X509_new()), gateway::KeyPtr(EVP_EC_gen("P-256"))};
  X509& certificate = *made.certificate;
  X509_set_version(&certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(&certificate), ++serial);
  ASN1_TIME_set(X509_getm_notBefore(&certificate), seconds_of(wanted.from));
  ASN1_TIME_set(X509_getm_notAfter(&certificate), seconds_of(wanted.until));
  X509_NAME* const subject = X509_get_subject_name(&certificate);
  for (const std::string& name : wanted.common_names) {
    // As it is, whatever it holds.
    X509_NAME_add_entry_by_NID(subject, NID_commonName, V_ASN1_UTF8STRING,
                               reinterpret_cast<const unsigned char*>(name.data()), static_cast<int>(name.size()), -1,
                               0);
  }
  X509& signer = issuer == nullptr ? certificate : *issuer->certificate;
  X509_set_issuer_name(&certificate, X509_get_subject_name(&signer));
  X509_set_pubkey(&certificate, made.key.get());
  add_extension(certificate, signer, NID_basic_constraints,
                wanted.is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (!wanted.alternative_names.empty()) {
    add_extension(certificate, signer, NID_subject_alt_name, wanted.alternative_names);
  }
  if (!wanted.use.empty()) add_extension(certificate, signer, NID_ext_key_usage, wanted.use);
  EVP_PKEY* const key = issuer == nullptr ? made.key.get() : issuer->key.get();
  FURROW_CHECK(X509_sign(&certificate, key, EVP_sha256()) > 0);
  return made;
}

inline Identity make_authority(const std::string& name = "Farm CA") {
  return make_identity({.common_names = {name}, .until = kToday + std::chrono::days(3650), .is_authority = true});
}

// A revocation list in PEM.
inline std::string revoked(const Identity& authority, const std::vector<const Identity*>& whom,
                           WallTime until = kToday + std::chrono::days(7)) {
  const gateway::CrlPtr list(X509_CRL_new());
  X509_CRL_set_version(list.get(), 1);
  X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(authority.certificate.get()));
  ASN1_TIME* const time = ASN1_TIME_set(nullptr, seconds_of(kToday - std::chrono::days(8)));
  X509_CRL_set1_lastUpdate(list.get(), time);
  for (const Identity* one : whom) {
    X509_REVOKED* const entry = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(one->certificate.get()));
    X509_REVOKED_set_revocationDate(entry, time);
    X509_CRL_add0_revoked(list.get(), entry);
  }
  ASN1_TIME_set(time, seconds_of(until));
  X509_CRL_set1_nextUpdate(list.get(), time);
  ASN1_TIME_free(time);
  FURROW_CHECK(X509_CRL_sign(list.get(), authority.key.get(), EVP_sha256()) > 0);
  const gateway::BioPtr bio(BIO_new(BIO_s_mem()));
  FURROW_CHECK(PEM_write_bio_X509_CRL(bio.get(), list.get()) == 1);
  return Identity::text_of(*bio);
}

inline void write_file(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file) << text;
  std::filesystem::permissions(file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

}  // namespace furrow::test
