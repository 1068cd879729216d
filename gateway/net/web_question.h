// What somebody asks for by HTTP, beside MQTT.
#pragma once

#include <string>

namespace furrow::gateway {

// A GET or HEAD that may be asked: its host is one of this machine's. Owns its texts; the head that it came in goes.
struct WebQuestion {
  std::string path;   // begins with a slash
  std::string query;  // without its question mark
  bool is_head = false;
  bool takes_gzip = false;
  std::string if_none_match;
  std::string authorization;  // empty: none
};

}  // namespace furrow::gateway
