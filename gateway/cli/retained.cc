#include "gateway/cli/retained.h"

#include <cstdio>
#include <string_view>
#include <utility>

#include "gateway/cli/confirm.h"
#include "gateway/cli/control_tables.h"
#include "gateway/cli/exit_code.h"
#include "gateway/cli/table_text.h"

namespace furrow::gateway {
namespace {

ControlRequest request_of(const RetainedOptions& options, ControlCommand command) {
  return {.command = command, .filter = options.filter, .older = options.older};
}

Status show(GatewayAccess& gateway, const RetainedOptions& options) {
  const bool lists = options.action == RetainedOptions::Action::List;
  bool has_heading = !lists || options.json;
  const auto print_item = [&](std::string_view line) {
    if (!std::exchange(has_heading, true)) print(retained_heading(has_colours()));
    if (options.json) {
      print(std::string(line) + "\n");
    } else if (const auto message = read_message(line)) {
      print(lists ? retained_line(*message) : payload_line(*message));
    }
  };
  const auto command = lists ? ControlCommand::RetainedList : ControlCommand::RetainedShow;
  FURROW_TRY(const std::string end, gateway.ask(request_of(options, command), print_item));
  if (read_end_number(end, "count") > 0 || options.json) return {};
  return Error(Errc::NotFound, "no retained message matches " + shown(options.filter));
}

std::string messages(std::uint64_t count) {
  return std::to_string(count) + " retained message" + (count == 1 ? "" : "s");
}

Status erase(GatewayAccess& gateway, const RetainedOptions& options) {
  if (!options.yes) {
    FURROW_TRY(const std::string found, gateway.ask(request_of(options, ControlCommand::RetainedCount), {}));
    FURROW_TRY(const bool agreed, confirm("Delete " + messages(read_end_number(found, "count")) + " that match " +
                                          shown(options.filter) + ", here and at the far brokers of bridges?"));
    if (!agreed) return Error(Errc::Closed, "nothing was deleted");
  }
  FURROW_TRY(const std::string end, gateway.ask(request_of(options, ControlCommand::RetainedDelete), {}));
  print(options.json ? end + "\n" : messages(read_end_number(end, "count")) + " deleted\n");
  return {};
}

}  // namespace

int run_retained(const RetainedOptions& options) {
  const auto gateway = reach_gateway(options, Reach::StoppedToo);
  if (!gateway) return fail_with(gateway.error());
  const Status done =
      options.action == RetainedOptions::Action::Delete ? erase(**gateway, options) : show(**gateway, options);
  return done ? kExitFine : fail_with(done.error());
}

}  // namespace furrow::gateway
