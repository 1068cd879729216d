#include "gateway/cli/bridge.h"

#include <cstdio>
#include <vector>

#include "gateway/cli/control_tables.h"
#include "gateway/cli/exit_code.h"
#include "gateway/cli/table_text.h"

namespace furrow::gateway {
namespace {

ControlRequest request_of(const BridgeOptions& options) {
  using Action = BridgeOptions::Action;
  switch (options.action) {
    case Action::List:
      break;
    case Action::Pause:
      return {.command = ControlCommand::BridgePause, .bridge = options.bridge, .length = options.length};
    case Action::Resume:
      return {.command = ControlCommand::BridgeResume, .bridge = options.bridge};
    case Action::Reconnect:
      return {.command = ControlCommand::BridgeReconnect, .bridge = options.bridge};
    case Action::Use:
      return {.command = ControlCommand::BridgeUse, .bridge = options.bridge, .address = options.address};
  }
  return {.command = ControlCommand::BridgeList};
}

std::string outcome(const BridgeOptions& options, std::string_view end) {
  const std::string remote = shown(read_end_text(end, "remote"));
  using Action = BridgeOptions::Action;
  switch (options.action) {
    case Action::Pause:
      return options.bridge + ": " + shown(read_end_text(end, "reason")) +
             "; it goes on to buffer. furrow bridge resume " + options.bridge + " ends that\n";
    case Action::Resume:
      return options.bridge + ": resumed\n";
    case Action::Use:
      return options.bridge + ": connects to " + remote + ", and stays there while that is well\n";
    default:
      return options.bridge + ": connects again, to " + remote + " first\n";
  }
}

bool needs_running(BridgeOptions::Action action) {
  using Action = BridgeOptions::Action;
  return action == Action::Reconnect || action == Action::Use;
}

}  // namespace

int run_bridge(const BridgeOptions& options) {
  const auto gateway = reach_gateway(options, needs_running(options.action) ? Reach::Running : Reach::StoppedToo);
  if (!gateway) return fail_with(gateway.error());
  std::vector<BridgeItem> bridges;
  const auto end = (*gateway)->ask(request_of(options), [&](std::string_view line) {
    if (options.json) std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
    if (auto bridge = read_bridge(line)) bridges.push_back(*std::move(bridge));
  });
  if (!end) return fail_with(end.error());
  std::string text;
  if (options.action != BridgeOptions::Action::List) {
    text = options.json ? *end + "\n" : outcome(options, *end);
  } else if (!options.json) {
    text = bridges.empty() ? "no bridges\n" : bridge_table(bridges, has_colours());
  }
  std::fputs(text.c_str(), stdout);
  return kExitFine;
}

}  // namespace furrow::gateway
