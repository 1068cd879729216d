// What a certificate says: its names, its dates, its key; and files of certificates, keys and revocations in PEM.
//
// Whatever cannot be used is an error of one sentence that names the file and what to do. Names are data of a stranger:
// they are returned as they are, to be escaped by whoever shows them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/base/result.h"
#include "broker-core/base/time.h"
#include "config/config.h"
#include "gateway/net/tls_handles.h"

namespace furrow::gateway {

// --- files ---

// At least one certificate, in the order of the file. `text` is the content of `file`.
Result<Certificates> parse_certificates(const std::string& text, const std::filesystem::path& file);
Result<KeyPtr> parse_key(const std::string& text, const std::filesystem::path& file);
Result<Crls> parse_crls(const std::string& text, const std::filesystem::path& file);

// --- one certificate ---

// The user that a certificate vouches for. Nothing is made up: a name that is missing, empty or there twice, that is
// not UTF-8, or that has NUL or another control character in it, is an error, which says so.
Result<std::string> vouched_name(X509& certificate, config::UsernameFrom from);

// The subject as RFC 2253 writes it, the most specific part first: `CN=sensor-1,O=Farm`.
std::string subject_text(X509& certificate);
std::string issuer_text(X509& certificate);
// The host names and addresses that it is for, as far as they are printable; at most `count_max`.
std::vector<std::string> host_names(X509& certificate, std::size_t count_max);
// SHA-256 of the whole, in lower-case hexadecimal digits.
std::string fingerprint(X509& certificate);
// `sha256/BASE64` of its public key (SubjectPublicKeyInfo), which stays the same when it is renewed with the same key.
std::string public_key_pin(X509& certificate);
WallTime not_before(X509& certificate);
WallTime not_after(X509& certificate);

// A moment of ASN.1; far in the past where it makes no sense.
WallTime wall_time(const ASN1_TIME* time);
// `2026-11-24`.
std::string date_text(WallTime time);
std::string base64(const unsigned char* bytes, std::size_t size);

// What OpenSSL says of the last failure on this thread, which is forgotten then.
std::string take_openssl_error();

}  // namespace furrow::gateway
