#include "gateway/net/tls_certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <optional>
#include <utility>

#include "broker-core/base/ip.h"
#include "broker-core/base/printable.h"
#include "broker-core/mqtt/utf8.h"

namespace furrow::gateway {
namespace {

using Names = std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>>;

Error in_file(const std::filesystem::path& file, std::string_view what) {
  constexpr std::size_t kNameBytesMax = 300;
  return {Errc::InvalidArgument, printable(file.string(), kNameBytesMax) + " " + std::string(what)};
}

BioPtr reader_of(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// There is nothing (more) that begins as asked for; anything else is a fault of the file.
bool is_end_of_file() {
  const unsigned long last = ERR_peek_last_error();
  const bool is_end = ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
  if (is_end) ERR_clear_error();
  return is_end;
}

// Every object of one kind in the file; `next` reads one.
template <typename Owner, typename Read>
Result<std::vector<Owner>> parse_all(const std::string& text, const std::filesystem::path& file, std::string_view kind,
                                     std::string_view example, Read next) {
  ERR_clear_error();
  const BioPtr reader = reader_of(text);
  std::vector<Owner> all;
  while (Owner one{next(reader.get())}) all.push_back(std::move(one));
  if (!is_end_of_file()) {
    return in_file(file, "has a " + std::string(kind) + " that cannot be read, number " +
                             std::to_string(all.size() + 1) + ": " + take_openssl_error());
  }
  if (all.empty()) {
    return in_file(file, "holds no " + std::string(kind) + " in PEM form, which begins with -----BEGIN " +
                             std::string(example) + "-----");
  }
  return all;
}

int refuse_passphrase(char*, int, int, void*) {
  return 0;
}

// --- names ---

bool has_control_characters(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

Result<std::string> usable(std::string name, std::string_view what) {
  const std::string which = "the " + std::string(what) + " of its certificate ";
  if (name.empty()) return Error(Errc::InvalidArgument, which + "is empty");
  if (has_control_characters(name)) return Error(Errc::InvalidArgument, which + "has a control character in it");
  if (!mqtt::is_valid_utf8(name)) return Error(Errc::InvalidArgument, which + "is not UTF-8");
  return name;
}

Result<std::string> only_one(std::vector<std::string> names, std::string_view what) {
  if (names.empty()) return Error(Errc::InvalidArgument, "its certificate has no " + std::string(what));
  if (names.size() > 1) {
    return Error(Errc::InvalidArgument,
                 "its certificate has more than one " + std::string(what) + ", and nothing says which one is meant");
  }
  return usable(std::move(names.front()), what);
}

// In UTF-8 whatever its type; nothing where it cannot be converted. NUL stays in it.
std::optional<std::string> utf8(const ASN1_STRING* text) {
  unsigned char* bytes = nullptr;
  const int size = ASN1_STRING_to_UTF8(&bytes, text);
  if (size < 0) return std::nullopt;
  std::string converted(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return converted;
}

Result<std::string> common_name(X509& certificate) {
  const X509_NAME* const subject = X509_get_subject_name(&certificate);
  std::vector<std::string> names;
  for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;) {
    auto name = utf8(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (!name) return Error(Errc::InvalidArgument, "the common name (CN) of its certificate is not UTF-8");
    names.push_back(*std::move(name));
  }
  return only_one(std::move(names), "common name (CN)");
}

Names alternative_names(X509& certificate) {
  return Names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
}

std::string bytes_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

// GEN_DNS or GEN_URI.
std::vector<std::string> alternative_texts(X509& certificate, int type) {
  std::vector<std::string> texts;
  const Names names = alternative_names(certificate);
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const one = sk_GENERAL_NAME_value(names.get(), i);
    if (one->type == type) texts.push_back(bytes_of(one->d.ia5));
  }
  return texts;
}

std::string address_text(const ASN1_OCTET_STRING* bytes) {
  const std::string raw = bytes_of(bytes);
  const auto copy = [&raw]<typename Bytes>(Bytes address) {
    std::copy_n(raw.begin(), address.size(), address.begin());
    return IpAddress(address).text();
  };
  if (raw.size() == IpAddress::V4{}.size()) return copy(IpAddress::V4{});
  if (raw.size() == IpAddress::V6{}.size()) return copy(IpAddress::V6{});
  return {};
}

std::string name_text(const X509_NAME* name) {
  const BioPtr text(BIO_new(BIO_s_mem()));
  constexpr unsigned long kAsUtf8 = XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB);
  if (X509_NAME_print_ex(text.get(), name, 0, kAsUtf8) < 0) return {};
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(text.get(), &bytes);
  return size <= 0 ? std::string() : std::string(bytes, static_cast<std::size_t>(size));
}

std::string hexadecimal(const unsigned char* bytes, std::size_t size) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < size; ++i) {
    text += kDigits[bytes[i] >> 4U];
    text += kDigits[bytes[i] & 0x0FU];
  }
  return text;
}

}  // namespace

// --- files ---

Result<Certificates> parse_certificates(const std::string& text, const std::filesystem::path& file) {
  return parse_all<CertificatePtr>(text, file, "certificate", "CERTIFICATE",
                                   [](BIO* from) { return PEM_read_bio_X509(from, nullptr, nullptr, nullptr); });
}

Result<KeyPtr> parse_key(const std::string& text, const std::filesystem::path& file) {
  ERR_clear_error();
  if (text.find("ENCRYPTED") != std::string::npos) {
    return in_file(file,
                   "is protected by a passphrase, which nobody could type when the gateway starts; "
                   "'openssl pkey -in FILE -out PLAIN' takes it off");
  }
  KeyPtr key(PEM_read_bio_PrivateKey(reader_of(text).get(), nullptr, refuse_passphrase, nullptr));
  if (key) return key;
  if (is_end_of_file() || text.find("PRIVATE KEY-----") == std::string::npos) {
    return in_file(file, "holds no private key in PEM form, which begins with -----BEGIN PRIVATE KEY-----");
  }
  return in_file(file, "has a private key that cannot be read: " + take_openssl_error());
}

Result<Crls> parse_crls(const std::string& text, const std::filesystem::path& file) {
  return parse_all<CrlPtr>(text, file, "revocation list", "X509 CRL",
                           [](BIO* from) { return PEM_read_bio_X509_CRL(from, nullptr, nullptr, nullptr); });
}

// --- one certificate ---

Result<std::string> vouched_name(X509& certificate, config::UsernameFrom from) {
  switch (from) {
    case config::UsernameFrom::Cn:
      return common_name(certificate);
    case config::UsernameFrom::Subject:
      return usable(subject_text(certificate), "subject");
    case config::UsernameFrom::SanDns:
      return only_one(alternative_texts(certificate, GEN_DNS), "DNS name (subjectAltName)");
    case config::UsernameFrom::SanUri:
      return only_one(alternative_texts(certificate, GEN_URI), "URI (subjectAltName)");
    case config::UsernameFrom::Fingerprint:
      break;
  }
  return fingerprint(certificate);
}

std::string subject_text(X509& certificate) {
  return name_text(X509_get_subject_name(&certificate));
}

std::string issuer_text(X509& certificate) {
  return name_text(X509_get_issuer_name(&certificate));
}

std::vector<std::string> host_names(X509& certificate, std::size_t count_max) {
  std::vector<std::string> hosts;
  const Names names = alternative_names(certificate);
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()) && hosts.size() < count_max; ++i) {
    const GENERAL_NAME* const one = sk_GENERAL_NAME_value(names.get(), i);
    if (one->type == GEN_DNS) hosts.push_back(printable(bytes_of(one->d.dNSName), 100));
    if (one->type == GEN_IPADD) hosts.push_back(address_text(one->d.iPAddress));
  }
  return hosts;
}

std::string fingerprint(X509& certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (X509_digest(&certificate, EVP_sha256(), digest.data(), &size) != 1) return {};
  return hexadecimal(digest.data(), size);
}

std::string public_key_pin(X509& certificate) {
  unsigned char* bytes = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(&certificate), &bytes);
  if (size <= 0) return {};
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned digest_size = 0;
  const int made =
      EVP_Digest(bytes, static_cast<std::size_t>(size), digest.data(), &digest_size, EVP_sha256(), nullptr);
  OPENSSL_free(bytes);
  return made == 1 ? "sha256/" + base64(digest.data(), digest_size) : std::string();
}

WallTime not_before(X509& certificate) {
  return wall_time(X509_get0_notBefore(&certificate));
}

WallTime not_after(X509& certificate) {
  return wall_time(X509_get0_notAfter(&certificate));
}

WallTime wall_time(const ASN1_TIME* time) {
  std::tm parts = {};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return WallTime(std::chrono::seconds(::timegm(&parts)));
}

std::string date_text(WallTime time) {
  const std::time_t count = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
  std::tm parts = {};
  std::array<char, 32> text{};
  if (::gmtime_r(&count, &parts) == nullptr) return "unknown";
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d", &parts)};
}

std::string base64(const unsigned char* bytes, std::size_t size) {
  std::string text(4 * ((size + 2) / 3) + 1, '\0');  // OpenSSL ends it with NUL
  const int written = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes, static_cast<int>(size));
  text.resize(static_cast<std::size_t>(written));
  return text;
}

std::string take_openssl_error() {
  const unsigned long first = ERR_get_error();
  ERR_clear_error();
  const char* const reason = first == 0 ? nullptr : ERR_reason_error_string(first);
  return reason == nullptr ? "unknown fault" : reason;
}

}  // namespace furrow::gateway
