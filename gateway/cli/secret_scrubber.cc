#include "gateway/cli/secret_scrubber.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <iterator>
#include <optional>
#include <utility>

#include "broker-core/base/printable.h"
#include "gateway/control/json_object.h"

namespace furrow::gateway {
namespace {

// Part of the name of a key whose value is a secret, unless one of kHarmlessEnds follows: those name files and users.
constexpr std::array<std::string_view, 7> kSecretWords{"password", "passwd", "passphrase", "secret",
                                                       "token",    "psk",    "private_key"};
constexpr std::array<std::string_view, 4> kHarmlessEnds{"_from", "_file", "_identity", "_hint"};

// A piece of a text, by its place there.
struct Piece {
  std::size_t begin = 0;
  std::size_t end = 0;
};

bool is_name_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

bool names_secret(std::string_view name) {
  const std::string lower = lower_case(name);
  if (std::ranges::any_of(kHarmlessEnds, [&](std::string_view end) { return lower.ends_with(end); })) return false;
  return std::ranges::any_of(kSecretWords,
                             [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

// The user and password of the URL whose `://` stands at `at`.
std::optional<Piece> credentials_at(std::string_view text, std::size_t at) {
  const std::size_t begin = at + 3;
  const std::size_t end = std::min(text.find_first_of("/ \t\r\n'\"<>,", begin), text.size());
  const std::size_t sign = text.substr(begin, end - begin).rfind('@');
  if (sign == std::string_view::npos || sign == 0) return std::nullopt;
  return Piece{begin, begin + sign};
}

// The value behind the `:` or `=` at `at`, where that stands behind a name of a secret: to the end of the value, as
// YAML, JSON and a log have it.
std::optional<Piece> secret_at(std::string_view text, std::size_t at) {
  std::size_t name_end = at;
  while (name_end > 0 && (text[name_end - 1] == ' ' || text[name_end - 1] == '"' || text[name_end - 1] == '\''))
    --name_end;
  std::size_t name_begin = name_end;
  while (name_begin > 0 && is_name_character(text[name_begin - 1])) --name_begin;
  if (!names_secret(text.substr(name_begin, name_end - name_begin))) return std::nullopt;
  std::size_t begin = at + 1;
  while (begin < text.size() && (text[begin] == ' ' || text[begin] == '\t')) ++begin;
  if (begin == text.size() || text[begin] == '\n' || text[begin] == '{' || text[begin] == '[') return std::nullopt;
  const char quote = text[begin];
  if (quote == '"' || quote == '\'') {
    ++begin;
    return Piece{begin, std::min(text.find(quote, begin), text.size())};
  }
  return Piece{begin, std::min(text.find_first_of(text[at] == '=' ? " \n" : ",}\n", begin), text.size())};
}

// Each piece of `text` that its place makes a secret, in order.
template <typename Visit>
void for_each_secret_place(std::string_view text, Visit visit) {
  for (std::size_t at = text.find_first_of(":="); at < text.size(); at = text.find_first_of(":=", at)) {
    const bool is_url = text.substr(at, 3) == "://";
    const std::optional<Piece> piece = is_url ? credentials_at(text, at) : secret_at(text, at);
    if (piece && piece->end > piece->begin) visit(*piece);
    at = piece ? std::max(piece->end, at + 1) : at + 1;
  }
}

// `text` with the bodies of private keys replaced, of which the end may be missing.
std::string without_pem_keys(std::string_view text) {
  constexpr std::string_view kBegin = "-----BEGIN ";
  constexpr std::string_view kFrameEnd = "KEY-----";
  std::string clean;
  for (std::size_t at = text.find(kBegin); at != std::string_view::npos; at = text.find(kBegin)) {
    const std::size_t line_end = std::min(text.find_first_of("\r\n", at), text.size());
    const std::size_t frame = text.substr(0, line_end).find(kFrameEnd, at);
    const std::size_t shown = frame == std::string_view::npos ? line_end : frame + kFrameEnd.size();
    clean += text.substr(0, shown);
    text.remove_prefix(shown);
    if (frame == std::string_view::npos) continue;  // a certificate
    clean += SecretScrubber::kInstead;
    text.remove_prefix(std::min(text.find("-----END "), text.size()));
  }
  clean += text;
  return clean;
}

// REQUIRES: `text` has as many bytes.
std::uint32_t beginning_of(std::string_view text) {
  std::uint32_t key = 0;
  static_assert(sizeof key == SecretScrubber::kSecretBytesMin);
  std::memcpy(&key, text.data(), sizeof key);
  return key;
}

}  // namespace

void SecretScrubber::add(std::string_view secret) {
  while (!secret.empty() && (secret.back() == ' ' || secret.back() == '\r')) secret.remove_suffix(1);
  if (secret.size() < kSecretBytesMin || secret.find(kInstead) != std::string_view::npos) return;
  insert(std::string(secret));
  // As a line of the log has it, and as JSON does.
  insert(printable(secret, secret.size() * 8));
  std::string json;
  append_json_string(json, secret);
  insert(json.substr(1, json.size() - 2));
}

void SecretScrubber::insert(std::string secret) {
  beginnings_.insert(beginning_of(secret));
  secrets_.insert(std::move(secret));
}

// The last secret that is not behind `text` in their order is the longest that `text` begins with, if it is one at all;
// else none is longer than what the two have in common.
std::string_view SecretScrubber::known_at(std::string_view text) const {
  if (text.size() < kSecretBytesMin || !beginnings_.contains(beginning_of(text))) return {};
  while (text.size() >= kSecretBytesMin) {
    const auto behind = secrets_.upper_bound(text);
    if (behind == secrets_.begin()) return {};
    const std::string& last = *std::prev(behind);
    if (text.starts_with(last)) return last;
    const auto differ = std::ranges::mismatch(text, last);
    text = text.substr(0, static_cast<std::size_t>(differ.in1 - text.begin()));
  }
  return {};
}

std::string SecretScrubber::without_known(std::string_view text) const {
  std::string clean;
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view secret = known_at(text.substr(at));
    if (secret.empty()) {
      ++at;
      continue;
    }
    clean += text.substr(done, at - done);
    clean += kInstead;
    done = at += secret.size();
  }
  clean += text.substr(done);
  return clean;
}

void SecretScrubber::add_lines(std::string_view text, bool has_names) {
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.starts_with("-----")) continue;  // the frame of a PEM file
    const std::size_t colon = has_names ? line.find(':') : std::string_view::npos;
    add(colon == std::string_view::npos ? line : line.substr(colon + 1));
  }
}

void SecretScrubber::add_written(std::string_view text) {
  for_each_secret_place(text, [&](const Piece& piece) {
    const std::string_view found = text.substr(piece.begin, piece.end - piece.begin);
    add(found);
    // Of `user:password` in a URL the second part alone is one, too.
    if (const std::size_t colon = found.find(':'); colon != std::string_view::npos) add(found.substr(colon + 1));
  });
}

// The longest piece before each cut that a secret begins with.
std::string SecretScrubber::without_cut(std::string_view text) const {
  constexpr std::string_view kCut = "…";
  constexpr std::size_t kCutBytesMax = 4096;  // messages are cut earlier
  std::string clean;
  for (std::size_t cut = text.find(kCut); cut != std::string_view::npos; cut = text.find(kCut)) {
    std::size_t begin = cut - std::min(cut, kCutBytesMax);
    const auto is_secret = [&](std::string_view piece) {
      const auto found = secrets_.lower_bound(piece);
      return found != secrets_.end() && found->starts_with(piece);
    };
    while (cut - begin >= kSecretBytesMin && !is_secret(text.substr(begin, cut - begin))) ++begin;
    const bool is_found = cut - begin >= kSecretBytesMin;
    clean += text.substr(0, is_found ? begin : cut);
    clean += is_found ? kInstead : std::string_view();
    clean += kCut;
    text.remove_prefix(cut + kCut.size());
  }
  clean += text;
  return clean;
}

std::string SecretScrubber::scrub(std::string_view text) const {
  std::string clean;
  std::size_t done = 0;
  for_each_secret_place(text, [&](const Piece& piece) {
    clean += text.substr(done, piece.begin - done);
    clean += kInstead;
    done = piece.end;
  });
  clean += text.substr(done);
  return without_cut(without_known(without_pem_keys(clean)));
}

std::string without_comments(std::string_view text) {
  std::string clean;
  char quote = 0;
  bool skips = false;
  char before = '\n';
  for (const char c : text) {
    if (c == '\n') {
      skips = false;
      quote = 0;  // a text of several lines is rare here, and a comment that stays is worse
    } else if (!skips && quote == 0 && c == '#' && (before == '\n' || before == ' ' || before == '\t')) {
      skips = true;
    } else if (!skips && (c == '"' || c == '\'')) {
      quote = quote == 0 ? c : (quote == c ? '\0' : quote);
    }
    if (!skips) clean += c;
    before = c;
  }
  return clean;
}

}  // namespace furrow::gateway
