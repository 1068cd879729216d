#include "gateway/cli/buffer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include "gateway/cli/confirm.h"
#include "gateway/cli/control_tables.h"
#include "gateway/cli/exit_code.h"
#include "gateway/cli/progress_bar.h"
#include "gateway/cli/table_text.h"
#include "gateway/store/errno_error.h"

namespace furrow::gateway {
namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

// A new file for its owner alone: messages are nobody else's.
Result<File> make_file(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) return errno_error("make " + path);
  return File(::fdopen(descriptor, "w"), std::fclose);
}

Result<std::vector<BridgeItem>> bridges_of(GatewayAccess& gateway,
                                           const std::function<void(std::string_view)>& on_line) {
  std::vector<BridgeItem> bridges;
  FURROW_TRY(const std::string end, gateway.ask({.command = ControlCommand::BridgeList}, [&](std::string_view line) {
    if (on_line) on_line(line);
    if (auto bridge = read_bridge(line)) bridges.push_back(*std::move(bridge));
  }));
  return bridges;
}

// The bridge that is meant: the one that is named, or the only one.
Result<BridgeItem> choose(GatewayAccess& gateway, const BufferOptions& options) {
  FURROW_TRY(std::vector<BridgeItem> bridges, bridges_of(gateway, {}));
  std::string names;
  for (const BridgeItem& one : bridges) {
    if (one.bridge == options.bridge || (!options.bridge && bridges.size() == 1)) return one;
    names += (names.empty() ? "" : ", ") + shown(one.bridge);
  }
  if (names.empty()) return Error(Errc::NotFound, "there is no bridge");
  if (!options.bridge) return Error(Errc::InvalidArgument, "there are several bridges: say --bridge, one of " + names);
  return Error(Errc::NotFound, "there is no bridge '" + shown(*options.bridge) + "'; there are: " + names);
}

void write_line(std::FILE* file, std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), file);
  std::fputc('\n', file);
}

Status list(GatewayAccess& gateway, const BufferOptions& options) {
  const auto print_json = [&](std::string_view line) {
    if (options.json) print_line(line);
  };
  FURROW_TRY(const std::vector<BridgeItem> bridges, bridges_of(gateway, print_json));
  if (options.json) return {};
  const std::string text = bridges.empty() ? "no bridges\n" : buffer_table(bridges, has_colours());
  std::fputs(text.c_str(), stdout);
  return {};
}

// How many messages the action is about.
std::uint64_t count_of(const BridgeItem& bridge, const BufferOptions& options) {
  return options.quarantine ? bridge.quarantined : bridge.backlog + bridge.inflight;
}

Status show(GatewayAccess& gateway, const BridgeItem& bridge, const BufferOptions& options) {
  std::uint64_t count = 0;
  const auto print_item = [&](std::string_view line) {
    if (options.json) {
      print_line(line);
    } else if (const auto message = read_message(line)) {
      if (count++ == 0) std::fputs(waiting_heading(has_colours()).c_str(), stdout);
      std::fputs(waiting_line(*message).c_str(), stdout);
    }
  };
  const ControlRequest request{.command = ControlCommand::BufferShow,
                               .bridge = bridge.bridge,
                               .limit = options.limit,
                               .quarantine = options.quarantine};
  FURROW_TRY(const std::string end, gateway.ask(request, print_item));
  if (options.json) return {};
  const std::uint64_t all = count_of(bridge, options);
  if (count == 0) std::fputs(options.quarantine ? "nothing was set aside\n" : "nothing waits\n", stdout);
  if (all > count && count == options.limit) {
    std::printf("… of %llu; --limit shows more, and furrow buffer export has all\n",
                static_cast<unsigned long long>(all));
  }
  return {};
}

Status write_out(GatewayAccess& gateway, const BridgeItem& bridge, const BufferOptions& options, std::FILE* file) {
  ProgressBar progress(count_of(bridge, options), ::isatty(STDERR_FILENO) == 1 && ::isatty(::fileno(file)) != 1);
  const ControlRequest request{
      .command = ControlCommand::BufferShow, .bridge = bridge.bridge, .quarantine = options.quarantine};
  FURROW_TRY(const std::string end, gateway.ask(request, [&](std::string_view line) {
    write_line(file, line);
    progress.advance();
  }));
  progress.finish();
  if (std::fflush(file) != 0 || std::ferror(file) != 0) return errno_error("write what waits");
  return {};
}

Status export_all(GatewayAccess& gateway, const BridgeItem& bridge, const BufferOptions& options, std::FILE* file) {
  if (file == nullptr) return write_out(gateway, bridge, options, stdout);
  FURROW_TRY_STATUS(write_out(gateway, bridge, options, file));
  return ::fsync(::fileno(file)) == 0 ? Status() : errno_error("sync what was written");
}

Status purge(GatewayAccess& gateway, const BridgeItem& bridge, const BufferOptions& options) {
  const std::string name = shown(bridge.bridge);
  if (!options.yes) {
    FURROW_TRY(const bool agreed,
               confirm("Drop " + counted(count_of(bridge, options), "message") + " that the " +
                       (options.quarantine ? "quarantine" : "buffer") + " of bridge " + name + " has?"));
    if (!agreed) return Error(Errc::Closed, "nothing was dropped");
  }
  const ControlRequest request{
      .command = ControlCommand::BufferPurge, .bridge = bridge.bridge, .quarantine = options.quarantine};
  FURROW_TRY(const std::string end, gateway.ask(request, {}));
  if (options.json) {
    print_line(end);
  } else {
    std::printf("%s: %s dropped, counted as purged\n", name.c_str(),
                counted(read_end_number(end, "count"), "message").c_str());
  }
  return {};
}

Status replay(GatewayAccess& gateway, const BridgeItem& bridge, const BufferOptions& options) {
  const std::string name = shown(bridge.bridge);
  if (!options.yes) {
    FURROW_TRY(const bool agreed, confirm("Send " + counted(bridge.quarantined, "message") + " that bridge " + name +
                                          " has set aside again?"));
    if (!agreed) return Error(Errc::Closed, "nothing was changed");
  }
  const ControlRequest request{.command = ControlCommand::BufferReplay, .bridge = bridge.bridge};
  FURROW_TRY(const std::string end, gateway.ask(request, {}));
  if (options.json) {
    print_line(end);
    return {};
  }
  std::printf("%s: %s from quarantine to the buffer\n", name.c_str(),
              counted(read_end_number(end, "count"), "message").c_str());
  const std::uint64_t left = read_end_number(end, "left");
  if (left > 0) std::printf("%s left, as the buffer is full\n", counted(left, "message").c_str());
  return {};
}

Status run(GatewayAccess& gateway, const BufferOptions& options, std::FILE* file) {
  using Action = BufferOptions::Action;
  if (options.action == Action::List) return list(gateway, options);
  FURROW_TRY(const BridgeItem bridge, choose(gateway, options));
  if (options.action == Action::Show) return show(gateway, bridge, options);
  if (options.action == Action::Export) return export_all(gateway, bridge, options, file);
  if (options.action == Action::Replay) return replay(gateway, bridge, options);
  return purge(gateway, bridge, options);
}

}  // namespace

int run_buffer(const BufferOptions& options) {
  File file(nullptr, std::fclose);
  if (options.output) {  // before a stopped gateway's user is taken on
    auto made = make_file(*options.output);
    if (!made) return fail_with(made.error());
    file = *std::move(made);
  }
  const auto gateway = reach_gateway(options, Reach::StoppedToo);
  if (!gateway) return fail_with(gateway.error());
  const Status done = run(**gateway, options, file.get());
  if (!done && options.output) (void)std::remove(options.output->c_str());  // what is there is not all
  return done ? kExitFine : fail_with(done.error());
}

}  // namespace furrow::gateway
