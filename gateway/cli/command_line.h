// The command line. The only file that uses CLI11, whose exceptions do not leave it.
#pragma once

#include <variant>

#include "gateway/cli/access.h"
#include "gateway/cli/bridge.h"
#include "gateway/cli/buffer.h"
#include "gateway/cli/certs.h"
#include "gateway/cli/check.h"
#include "gateway/cli/clients.h"
#include "gateway/cli/command_text.h"
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

namespace furrow::gateway {

// Help, the version, or what was wrong with the command line: it has been printed.
struct Answered {
  int exit_code = 0;
};

using Command = std::variant<Answered, RunOptions, CheckOptions, AccessOptions, DemoOptions, CertsOptions,
                             PasswdOptions, ImportOptions, StatusOptions, RouteOptions, FleetOptions, ClientsOptions,
                             BridgeOptions, RetainedOptions, BufferOptions, TraceOptions, DiagOptions>;

// What parse_command_line() takes, for the manual page and the completion of a shell.
CommandText describe_command_line();

Command parse_command_line(int count, const char* const* arguments);

}  // namespace furrow::gateway
