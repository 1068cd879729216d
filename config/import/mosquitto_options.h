// The one table of Mosquitto's options, up to version 2.1: what each is about, and what is to be said where it is not
// translated.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace furrow::config {

struct MosquittoOption {
  enum class About : std::uint8_t { Broker, Security, Listener, Bridge };

  std::string_view name;
  About about;
  // Why it has no counterpart, and what to do instead; empty for options that are always translated. Those that begin
  // with a `-` need nothing to be done.
  std::string_view remark = {};
};

// Null when Mosquitto has no such option.
const MosquittoOption* find_mosquitto_option(std::string_view name);

// "; did you mean 'certfile'?", or nothing.
std::string did_you_mean_option(std::string_view name);

}  // namespace furrow::config
