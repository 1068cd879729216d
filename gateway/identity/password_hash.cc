#include "gateway/identity/password_hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

namespace furrow::gateway {
namespace {

constexpr std::string_view kScrypt = "$scrypt$";
constexpr std::string_view kPbkdf2 = "$7$";
// 128 × 2^14 × 8 = 16 MiB, some 50 ms of a desktop and 150 ms of a Raspberry Pi.
constexpr std::uint32_t kLog2N = 14;
constexpr std::uint32_t kR = 8;
constexpr std::uint32_t kP = 1;
constexpr std::uint64_t kScryptBytesMax = 16 * MiB;
constexpr std::uint32_t kPMax = 4;
constexpr std::uint32_t kIterationsMax = 2'000'000;
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kSaltBytesMax = 64;
constexpr std::size_t kKeyBytesMin = 16;
constexpr std::size_t kKeyBytesMax = 64;

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string to_base64(ByteView bytes) {
  std::string text;
  std::uint32_t bits = 0;
  int count = 0;
  for (const std::uint8_t byte : bytes) {
    bits = bits << 8U | byte;
    for (count += 8; count >= 6; count -= 6) text.push_back(kDigits[bits >> (count - 6) & 63U]);
  }
  if (count > 0) text.push_back(kDigits[bits << (6 - count) & 63U]);
  return text;
}

// With or without the `=` at its end, which Mosquitto writes.
std::optional<std::vector<std::uint8_t>> from_base64(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  std::vector<std::uint8_t> bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char digit : text) {
    const std::size_t value = kDigits.find(digit);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6U | static_cast<std::uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push_back(static_cast<std::uint8_t>(bits >> static_cast<unsigned>(count) & 0xFFU));
  }
  return bytes;
}

// Takes the text up to `end`, and `end`, off the front.
std::optional<std::string_view> take_until(std::string_view& text, char end) {
  const std::size_t at = text.find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(at + 1);
  return taken;
}

bool take_number(std::string_view text, std::uint32_t& number) {
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && rest == end && !text.empty();
}

// `ln=14`
bool take_setting(std::string_view name, std::string_view text, std::uint32_t& number) {
  return text.starts_with(name) && take_number(text.substr(name.size()), number);
}

Error fault(std::string_view what) {
  return {Errc::InvalidArgument, std::string(what)};
}

}  // namespace

Result<PasswordHash> PasswordHash::parse(std::string_view text) {
  Result<PasswordHash> hash =
      text.starts_with(kScrypt)   ? parse_scrypt(text.substr(kScrypt.size()))
      : text.starts_with(kPbkdf2) ? parse_pbkdf2(text.substr(kPbkdf2.size()))
      : text.starts_with("$6$")   ? fault(
                                        "the hash ($6$) can be guessed too fast; set the password anew with "
                                          "'furrow passwd'")
      : text.starts_with('$') ? fault(
                                    "furrow does not know this kind of hash; set the password "
                                    "anew with 'furrow passwd'")
                              : fault("there is no hash; passwords are set with 'furrow passwd'");
  if (!hash) return hash;
  if (hash->salt_.empty() || hash->salt_.size() > kSaltBytesMax) return fault("the salt of the hash has a wrong size");
  if (hash->key_.size() < kKeyBytesMin || hash->key_.size() > kKeyBytesMax) {
    return fault("the hash is cut short, or too long");
  }
  return hash;
}

Result<PasswordHash> PasswordHash::parse_scrypt(std::string_view fields) {
  PasswordHash hash;
  hash.kind_ = Kind::Scrypt;
  const auto log2_n = take_until(fields, ',');
  const auto r = take_until(fields, ',');
  const auto p = take_until(fields, '$');
  const auto salt = take_until(fields, '$');
  if (!log2_n || !r || !p || !salt || !take_setting("ln=", *log2_n, hash.cost_) || !take_setting("r=", *r, hash.r_) ||
      !take_setting("p=", *p, hash.p_)) {
    return fault("the hash is not $scrypt$ln=…,r=…,p=…$SALT$KEY");
  }
  const bool is_sound = hash.cost_ >= 1 && hash.cost_ <= 20 && hash.r_ >= 1 && hash.r_ <= 64 && hash.p_ >= 1;
  if (!is_sound || hash.p_ > kPMax || (std::uint64_t{128} << hash.cost_) * hash.r_ > kScryptBytesMax) {
    return fault("the hash takes more than 16 MiB to check, or its numbers are no scrypt");
  }
  if (!hash.take_salt_and_key(*salt, fields)) return fault("the hash is not base64");
  return hash;
}

Result<PasswordHash> PasswordHash::parse_pbkdf2(std::string_view fields) {
  PasswordHash hash;
  hash.kind_ = Kind::Pbkdf2;
  const auto iterations = take_until(fields, '$');
  const auto salt = take_until(fields, '$');
  if (!iterations || !salt || !take_number(*iterations, hash.cost_)) {
    return fault("the hash is not $7$ITERATIONS$SALT$KEY");
  }
  if (hash.cost_ == 0 || hash.cost_ > kIterationsMax) return fault("the hash has no sound number of iterations");
  if (!hash.take_salt_and_key(*salt, fields)) return fault("the hash is not base64");
  return hash;
}

bool PasswordHash::take_salt_and_key(std::string_view salt, std::string_view key) {
  auto salt_bytes = from_base64(salt);
  auto key_bytes = from_base64(key);
  if (!salt_bytes || !key_bytes) return false;
  salt_ = *std::move(salt_bytes);
  key_ = *std::move(key_bytes);
  return true;
}

Result<PasswordHash> PasswordHash::make(ByteView password) {
  PasswordHash hash;
  hash.cost_ = kLog2N;
  hash.r_ = kR;
  hash.p_ = kP;
  hash.salt_.resize(kSaltBytes);
  hash.key_.resize(kKeyBytes);
  if (RAND_bytes(hash.salt_.data(), static_cast<int>(hash.salt_.size())) != 1) {
    return Error(Errc::Io, "the system gives no random bytes");
  }
  if (!hash.derive(password, hash.key_)) return Error(Errc::Io, "scrypt found no memory");
  return hash;
}

bool PasswordHash::derive(ByteView password, MutableBytes key) const {
  // An empty view may be null, which OpenSSL takes for something else.
  const char* const text = password.empty() ? "" : reinterpret_cast<const char*>(password.data());
  if (kind_ == Kind::Scrypt) {
    constexpr std::uint64_t kSlack = 1 * MiB;  // what it takes besides
    return EVP_PBE_scrypt(text, password.size(), salt_.data(), salt_.size(), std::uint64_t{1} << cost_, r_, p_,
                          kScryptBytesMax + kSlack, key.data(), key.size()) == 1;
  }
  return PKCS5_PBKDF2_HMAC(text, static_cast<int>(password.size()), salt_.data(), static_cast<int>(salt_.size()),
                           static_cast<int>(cost_), EVP_sha512(), static_cast<int>(key.size()), key.data()) == 1;
}

bool PasswordHash::matches(ByteView password) const {
  std::array<std::uint8_t, kKeyBytesMax> derived{};
  const MutableBytes key = MutableBytes(derived).first(key_.size());
  const bool is_done = derive(password, key);
  const bool fits = CRYPTO_memcmp(key.data(), key_.data(), key_.size()) == 0;
  OPENSSL_cleanse(derived.data(), derived.size());
  return is_done && fits && !fits_nothing_;
}

PasswordHash PasswordHash::like_this() const {
  PasswordHash other = *this;
  other.fits_nothing_ = true;
  return other;
}

std::string PasswordHash::text() const {
  std::string text;
  if (kind_ == Kind::Scrypt) {
    text =
        std::string(kScrypt) + "ln=" + std::to_string(cost_) + ",r=" + std::to_string(r_) + ",p=" + std::to_string(p_);
  } else {
    text = std::string(kPbkdf2) + std::to_string(cost_);
  }
  return text + "$" + to_base64(salt_) + "$" + to_base64(key_);
}

}  // namespace furrow::gateway
