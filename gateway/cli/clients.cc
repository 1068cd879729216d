#include "gateway/cli/clients.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "gateway/cli/control_tables.h"
#include "gateway/cli/exit_code.h"
#include "gateway/cli/table_text.h"

namespace furrow::gateway {
namespace {

Status list(GatewayAccess& gateway, const ClientsOptions& options) {
  const ControlRequest request{.command = ControlCommand::ClientsList};
  if (options.json) {
    FURROW_TRY(const std::string end, gateway.ask(request, print_line));
    return {};
  }
  std::vector<ClientItem> clients;
  FURROW_TRY(const std::string end, gateway.ask(request, [&clients](std::string_view line) {
    if (auto client = read_client(line)) clients.push_back(*std::move(client));
  }));
  std::ranges::sort(clients, {}, &ClientItem::client);
  print(clients.empty() ? "no clients\n" : client_table(clients, has_colours()));
  return {};
}

Status show(GatewayAccess& gateway, const ClientsOptions& options) {
  const ControlRequest request{.command = ControlCommand::ClientsShow, .client = options.client};
  if (options.json) {
    FURROW_TRY(const std::string end, gateway.ask(request, print_line));
    return {};
  }
  ClientItem client;
  std::vector<SubscriptionItem> subscriptions;
  FURROW_TRY(const std::string end, gateway.ask(request, [&](std::string_view line) {
    if (auto subscription = read_subscription(line)) subscriptions.push_back(*std::move(subscription));
    if (auto found = read_client(line)) client = *std::move(found);
  }));
  print(client_sheet(client, subscriptions));
  return {};
}

Status change(GatewayAccess& gateway, const ClientsOptions& options) {
  const bool kicks = options.action == ClientsOptions::Action::Kick;
  const ControlRequest request{.command = kicks ? ControlCommand::ClientsKick : ControlCommand::ClientsForget,
                               .client = options.client};
  FURROW_TRY(const std::string end, gateway.ask(request, {}));
  if (options.json) {
    print_line(end);
  } else {
    print_line(shown(options.client) +
               (kicks ? ": disconnected" : ": its session has ended, with its subscriptions and what waited for it"));
  }
  return {};
}

}  // namespace

int run_clients(const ClientsOptions& options) {
  using Action = ClientsOptions::Action;
  const auto gateway = reach_gateway(options, options.action == Action::Kick ? Reach::Running : Reach::StoppedToo);
  if (!gateway) return fail_with(gateway.error());
  const Status done = options.action == Action::List   ? list(**gateway, options)
                      : options.action == Action::Show ? show(**gateway, options)
                                                       : change(**gateway, options);
  return done ? kExitFine : fail_with(done.error());
}

}  // namespace furrow::gateway
