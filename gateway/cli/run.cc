#include "gateway/cli/run.h"

#include <cstdio>
#include <cstdlib>

#include "gateway/cli/config_choice.h"
#include "gateway/cli/exit_code.h"
#include "gateway/clock.h"
#include "gateway/config_to_options.h"
#include "gateway/log_sink.h"
#include "gateway/net/event_loop.h"
#include "gateway/net/resolver.h"
#include "gateway/process.h"
#include "gateway/runtime.h"
#include "gateway/systemd_notify.h"

namespace furrow::gateway {
namespace {

int fail(Log& log, std::string_view event, const Error& error) {
  log.write(LogLevel::Error, event, {{"reason", error.message()}});
  return kExitFailure;
}

void log_choice(Log& log, const ConfigChoice& choice) {
  if (choice.embedded) {
    log.write(LogLevel::Info, "config.embedded_default",
              {{"reason", std::string("no -c, and there is no ") + kDefaultConfigFile},
               {"data", choice.loaded.config.gateway.data.string()}});
  }
  for (const config::Diagnostic& one : choice.loaded.diagnostics) {
    if (one.severity != config::Severity::Warning) continue;
    log.write(LogLevel::Warning, "config.warning", {{"place", config::format(one, choice.name)}});
  }
}

// The file of a run, which a reload reads again.
Result<ConfigChoice> choose(const RunOptions& options) {
  auto choice = choose_config(options.config, kDefaultConfigFile);
  if (choice && options.data) choice->loaded.config.gateway.data = *options.data;
  return choice;
}

int serve(const Runtime::World& world, const ConfigChoice& choice) {
  auto runtime = Runtime::start(world, choice.loaded.config, choice.name);
  if (!runtime) return fail(world.log, "start.failed", runtime.error());
  const Status stored = (*runtime)->run();
  return stored ? kExitFine : fail(world.log, "stop.not_durable", stored.error());
}

}  // namespace

int run_gateway(const RunOptions& options) {
  auto choice = choose(options);
  if (!choice) return complain(choice.error().message(), kExitUsage);
  if (config::has_errors(choice->loaded.diagnostics)) {
    for (const config::Diagnostic& one : choice->loaded.diagnostics) {
      std::fprintf(stderr, "%s\n", config::format(one, choice->name).c_str());
    }
    return kExitUsage;
  }
  raise_descriptor_limit();
  keep_files_private();
  keep_memory_private();
  ignore_broken_pipes();  // whoever reads the log may be gone
  Clock clock;
  LogSink log(log_options(choice->loaded.config.log), clock);
  SystemdNotify notify([](const char* name) -> const char* { return std::getenv(name); });
  log_choice(log, *choice);

  EventLoop loop;
  const auto load_config = [&options]() -> Result<config::Loaded> {
    FURROW_TRY(ConfigChoice again, choose(options));
    return std::move(again.loaded);
  };
  const int exit_code =
      serve({.loop = loop, .clock = clock, .log = log, .notify = notify, .load_config = load_config}, *choice);
  // Nobody waits for a name that is still being looked up, and its thread may use what exit() takes apart.
  if (!loop.close() || Resolver::any_under_way()) std::_Exit(exit_code);
  return exit_code;
}

}  // namespace furrow::gateway
