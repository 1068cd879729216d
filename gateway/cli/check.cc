#include "gateway/cli/check.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "gateway/cli/check_link.h"
#include "gateway/cli/check_machine.h"
#include "gateway/cli/config_choice.h"
#include "gateway/cli/exit_code.h"
#include "gateway/net/resolver.h"

namespace furrow::gateway {
namespace {

std::string count_text(const config::Diagnostics& diagnostics, config::Severity severity, const std::string& what) {
  const auto count = std::count_if(diagnostics.begin(), diagnostics.end(),
                                   [severity](const config::Diagnostic& one) { return one.severity == severity; });
  return (count == 0 ? "no" : std::to_string(count)) + " " + what + (count == 1 ? "" : "s");
}

}  // namespace

CheckReport check_report(const CheckOptions& options) {
  auto choice = choose_config(options.config, kDefaultConfigFile);
  if (!choice) return {.error = choice.error().message(), .exit_code = kExitUsage};
  CheckReport report;
  if (choice->embedded) {
    report.text = std::string("no -c, and there is no ") + kDefaultConfigFile + ": checking the embedded default\n";
  }
  config::Loaded& loaded = choice->loaded;
  if (options.data) loaded.config.gateway.data = *options.data;
  // A file that is no YAML says nothing about this machine.
  if (!config::has_errors(loaded.diagnostics) || !loaded.places.empty()) {
    check_machine(loaded.config, loaded.places, loaded.diagnostics);
    config::sort_by_place(loaded.diagnostics);
  }
  const config::Diagnostics& diagnostics = loaded.diagnostics;
  for (const config::Diagnostic& one : diagnostics) report.text += config::format(one, choice->name) + "\n";
  report.text += choice->name + ": " + count_text(diagnostics, config::Severity::Error, "error") + ", " +
                 count_text(diagnostics, config::Severity::Warning, "warning") + "\n";
  report.exit_code = config::has_errors(diagnostics) ? kExitUsage : kExitFine;
  report.config = std::move(loaded.config);
  return report;
}

int run_check(const CheckOptions& options) {
  const CheckReport report = check_report(options);
  if (!report.error.empty()) return complain(report.error, report.exit_code);
  if (!options.json || report.exit_code != kExitFine) std::fputs(report.text.c_str(), stdout);
  if (report.exit_code != kExitFine || !options.connect) return report.exit_code;
  const int exit_code = check_links(report.config, options.bridge, options.json);
  // Nobody waits for a name that is still being looked up, and its thread may use what exit() takes apart.
  if (Resolver::any_under_way()) std::_Exit(exit_code);
  return exit_code;
}

}  // namespace furrow::gateway
