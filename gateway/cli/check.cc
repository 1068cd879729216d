#include "gateway/cli/check.h"

#include <algorithm>
#include <cstdio>

#include "gateway/cli/check_machine.h"
#include "gateway/cli/config_choice.h"
#include "gateway/cli/exit_code.h"

namespace furrow::gateway {
namespace {

std::string count_text(const config::Diagnostics& diagnostics, config::Severity severity, const std::string& what) {
  const auto count = std::count_if(diagnostics.begin(), diagnostics.end(),
                                   [severity](const config::Diagnostic& one) { return one.severity == severity; });
  return (count == 0 ? "no" : std::to_string(count)) + " " + what + (count == 1 ? "" : "s");
}

}  // namespace

int run_check(const CheckOptions& options) {
  auto choice = choose_config(options.config, kDefaultConfigFile);
  if (!choice) return complain(choice.error().message(), kExitUsage);
  if (choice->embedded) std::printf("no -c, and there is no %s: checking the embedded default\n", kDefaultConfigFile);
  config::Loaded& loaded = choice->loaded;
  if (options.data) loaded.config.gateway.data = *options.data;
  // A file that is no YAML says nothing about this machine.
  if (!config::has_errors(loaded.diagnostics) || !loaded.places.empty()) {
    check_machine(loaded.config, loaded.places, loaded.diagnostics);
    config::sort_by_place(loaded.diagnostics);
  }
  const config::Diagnostics& diagnostics = loaded.diagnostics;
  for (const config::Diagnostic& one : diagnostics) std::printf("%s\n", config::format(one, choice->name).c_str());
  std::printf("%s: %s, %s\n", choice->name.c_str(), count_text(diagnostics, config::Severity::Error, "error").c_str(),
              count_text(diagnostics, config::Severity::Warning, "warning").c_str());
  return config::has_errors(diagnostics) ? kExitUsage : kExitFine;
}

}  // namespace furrow::gateway
