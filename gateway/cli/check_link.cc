#include "gateway/cli/check_link.h"

#include <cstdio>
#include <functional>
#include <string>
#include <utility>

#include "gateway/cli/exit_code.h"
#include "gateway/cli/link_probe.h"
#include "gateway/cli/table_text.h"
#include "gateway/config_to_options.h"
#include "gateway/control/json_object.h"
#include "gateway/gateway_id.h"
#include "gateway/net/event_loop.h"

namespace furrow::gateway {
namespace {

void print_step(const LinkProbe::Step& step, bool colour) {
  constexpr std::size_t kIndent = 20;
  const std::string indent(kIndent, ' ');
  std::string text = "  " + painted(step.ok ? "ok  " : "fail", step.ok ? kGreen : kRed, colour) + "  " +
                     left(step.name, kIndent - 8) + wrapped(step.what, indent).substr(kIndent);
  if (!step.advice.empty()) text += wrapped(step.advice, indent);
  print(text);
  std::fflush(stdout);
}

void print_json(const config::Bridge& bridge, const bridge::Address& address, const LinkProbe::Step& step) {
  JsonObject line;
  line.text("bridge", bridge.name).text("remote", address.url()).text("step", step.name).flag("ok", step.ok);
  line.text("what", step.what);
  if (!step.advice.empty()) line.text("do", step.advice);
  print_line(line.str());
  std::fflush(stdout);
}

// False when a step has failed.
bool check_link(const config::Bridge& bridge, const bridge::Options& options, const bridge::Address& address,
                const std::function<void(const LinkProbe::Step&)>& on_step) {
  bool all_well = true;
  EventLoop loop;
  const Clock clock;
  Resolver resolver(loop.uv());
  LinkProbe probe(loop.uv(), resolver, clock, bridge, options, address,
                  {.on_step =
                       [&](const LinkProbe::Step& step) {
                         all_well = all_well && step.ok;
                         on_step(step);
                       },
                   .on_end = [&loop] { loop.stop(); }});
  probe.start();
  loop.run();
  return all_well;
}

}  // namespace

int check_links(const config::Config& config, const std::optional<std::string>& bridge, bool json) {
  if (bridge && !has_bridge(config, *bridge)) {
    return complain("there is no bridge '" + shown(*bridge) + "' in the configuration", kExitUsage);
  }
  // One that the store keeps may be of a name that the machine had before.
  const std::string id = config.gateway.id.empty() ? gateway_id_of_machine() : config.gateway.id;
  bool all_well = true;
  bool has_any = false;
  for (const config::Bridge& one : config.bridges) {
    if (bridge ? one.name != *bridge : !one.enabled) continue;
    has_any = true;
    const bridge::Options options = bridge_options(one, id, 0);
    for (const bridge::Address& address : options.addresses) {
      if (!json) print_line("bridge " + shown(one.name) + ", " + shown(address.url()));
      all_well = check_link(one, options, address,
                            [&](const LinkProbe::Step& step) {
                              if (json) {
                                print_json(one, address, step);
                              } else {
                                print_step(step, has_colours());
                              }
                            }) &&
                 all_well;
    }
  }
  if (!has_any) return complain("there is no bridge that is enabled", kExitFailure);
  return all_well ? kExitFine : kExitFailure;
}

}  // namespace furrow::gateway
