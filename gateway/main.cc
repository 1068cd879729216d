// furrow: an MQTT edge gateway with a cross-region bridge.
#include <variant>

#include "gateway/cli/access.h"
#include "gateway/cli/bridge.h"
#include "gateway/cli/buffer.h"
#include "gateway/cli/certs.h"
#include "gateway/cli/check.h"
#include "gateway/cli/clients.h"
#include "gateway/cli/command_line.h"
#include "gateway/cli/demo.h"
#include "gateway/cli/diag.h"
#include "gateway/cli/fleet.h"
#include "gateway/cli/import.h"
#include "gateway/cli/passwd.h"
#include "gateway/cli/retained.h"
#include "gateway/cli/route.h"
#include "gateway/cli/run.h"
#include "gateway/cli/status.h"
#include "gateway/cli/trace.h"

namespace {

struct Execute {
  int operator()(const furrow::gateway::RunOptions& options) const { return furrow::gateway::run_gateway(options); }
  int operator()(const furrow::gateway::CheckOptions& options) const { return furrow::gateway::run_check(options); }
  int operator()(const furrow::gateway::AccessOptions& options) const { return furrow::gateway::run_access(options); }
  int operator()(const furrow::gateway::DemoOptions& options) const { return furrow::gateway::run_demo(options); }
  int operator()(const furrow::gateway::PasswdOptions& options) const { return furrow::gateway::run_passwd(options); }
  int operator()(const furrow::gateway::CertsOptions& options) const { return furrow::gateway::run_certs(options); }
  int operator()(const furrow::gateway::ImportOptions& options) const { return furrow::gateway::run_import(options); }
  int operator()(const furrow::gateway::RouteOptions& options) const { return furrow::gateway::run_route(options); }
  int operator()(const furrow::gateway::StatusOptions& options) const { return furrow::gateway::run_status(options); }
  int operator()(const furrow::gateway::FleetOptions& options) const { return furrow::gateway::run_fleet(options); }
  int operator()(const furrow::gateway::ClientsOptions& options) const { return furrow::gateway::run_clients(options); }
  int operator()(const furrow::gateway::BridgeOptions& options) const { return furrow::gateway::run_bridge(options); }
  int operator()(const furrow::gateway::RetainedOptions& options) const {
    return furrow::gateway::run_retained(options);
  }
  int operator()(const furrow::gateway::BufferOptions& options) const { return furrow::gateway::run_buffer(options); }
  int operator()(const furrow::gateway::TraceOptions& options) const { return furrow::gateway::run_trace(options); }
  int operator()(const furrow::gateway::DiagOptions& options) const { return furrow::gateway::run_diag(options); }
  int operator()(const furrow::gateway::Answered& answered) const { return answered.exit_code; }
};

}  // namespace

int main(int count, char** arguments) {
  return std::visit(Execute{}, furrow::gateway::parse_command_line(count, arguments));
}
