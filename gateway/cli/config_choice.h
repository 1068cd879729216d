// Which configuration a command is about.
#pragma once

#include <optional>
#include <string>

#include "broker-core/base/result.h"
#include "config/load_yaml.h"

namespace furrow::gateway {

inline constexpr const char* kDefaultConfigFile = "/etc/furrow/furrow.yaml";

struct ConfigChoice {
  std::string name;  // of the file, for people
  bool embedded = false;
  config::Loaded loaded;
};

// `file` if it is given; else `default_file` if there is one; else the embedded default.
Result<ConfigChoice> choose_config(const std::optional<std::string>& file, const std::string& default_file);

}  // namespace furrow::gateway
