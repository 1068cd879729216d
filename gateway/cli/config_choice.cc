#include "gateway/cli/config_choice.h"

#include <filesystem>
#include <system_error>
#include <utility>

namespace furrow::gateway {

Result<ConfigChoice> choose_config(const std::optional<std::string>& file, const std::string& default_file) {
  std::error_code unknown;  // a directory that may not be read: opening the file says so
  if (!file && !std::filesystem::exists(default_file, unknown) && !unknown) {
    ConfigChoice choice{.name = "embedded default", .embedded = true, .loaded = {}};
    choice.loaded = config::load("", choice.name, config::process_environment());
    choice.loaded.config = config::embedded_default();
    return choice;
  }
  const std::string name = file.value_or(default_file);
  FURROW_TRY(config::Loaded loaded, config::load_file(name, config::process_environment()));
  return ConfigChoice{.name = name, .embedded = false, .loaded = std::move(loaded)};
}

}  // namespace furrow::gateway
