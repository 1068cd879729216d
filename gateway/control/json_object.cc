#include "gateway/control/json_object.h"

#include <array>
#include <cstdio>

#include "broker-core/base/printable.h"

namespace furrow::gateway {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr char32_t kReplacementCode = 0xFFFD;

bool stands_as_it_is(char c) {
  return c >= ' ' && c < 0x7F && c != '"' && c != '\\';
}

void append_escaped(std::string& out, const Character& character) {
  if (character.code == kReplacementCode) {
    out += kReplacement;
  } else if (character.code == '"' || character.code == '\\') {
    out += '\\';
    out += character.bytes;
  } else if (character.code < ' ') {
    std::array<char, 8> escape{};
    std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(character.code));
    out += escape.data();
  } else {
    out += character.bytes;
  }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && stands_as_it_is(text[plain])) ++plain;
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (!text.empty()) append_escaped(out, take_character(text));
  }
  out += '"';
}

void JsonObject::begin(std::string_view key) {
  if (text_.size() > 1) text_ += ',';
  append_json_string(text_, key);
  text_ += ':';
}

JsonObject& JsonObject::text(std::string_view key, std::string_view value) {
  begin(key);
  append_json_string(text_, value);
  return *this;
}

JsonObject& JsonObject::number(std::string_view key, std::uint64_t value) {
  return raw(key, std::to_string(value));
}

JsonObject& JsonObject::seconds(std::string_view key, Duration value) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%.3f", std::chrono::duration<double>(value).count());
  return raw(key, text.data());
}

JsonObject& JsonObject::flag(std::string_view key, bool value) {
  return raw(key, value ? "true" : "false");
}

JsonObject& JsonObject::null(std::string_view key) {
  return raw(key, "null");
}

JsonObject& JsonObject::raw(std::string_view key, std::string_view value) {
  begin(key);
  text_ += value;
  return *this;
}

}  // namespace furrow::gateway
