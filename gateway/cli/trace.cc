#include "gateway/cli/trace.h"

#include <cstdio>
#include <string_view>

#include "gateway/cli/control_items.h"
#include "gateway/cli/exit_code.h"
#include "gateway/cli/trace_text.h"

namespace furrow::gateway {
namespace {

ControlRequest trace_request(const TraceOptions& options) {
  return {.command = ControlCommand::Trace,
          .client = options.client,
          .bridge = options.bridge,
          .filter = options.filter.value_or("#"),
          .address = options.address,
          .length = options.length,
          .limit = options.count,
          .payload = options.payload};
}

}  // namespace

int run_trace(const TraceOptions& options) {
  const auto gateway = reach_gateway(options, Reach::Running);
  if (!gateway) return fail_with(gateway.error());
  (*gateway)->end_on_signal();
  const auto print = [&](std::string_view line) {
    const std::string text = options.json ? std::string(line) + "\n" : trace_line(line);
    std::fwrite(text.data(), 1, text.size(), stdout);
    // Each line at once: somebody watches. Where nobody reads any more there is nothing to trace for.
    if (std::fflush(stdout) != 0) (*gateway)->end_requests();
  };
  const auto end = (*gateway)->ask(trace_request(options), print);
  if (!end) return fail_with(end.error());
  if (!options.json) std::fputs(trace_summary(*end).c_str(), stderr);
  return kExitFine;
}

}  // namespace furrow::gateway
