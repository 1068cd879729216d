#include "gateway/cli/gateway_access.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "gateway/cli/config_choice.h"
#include "gateway/cli/control_items.h"
#include "gateway/cli/exit_code.h"
#include "gateway/cli/stopped_gateway.h"
#include "gateway/control_links.h"
#include "gateway/net/descriptor.h"
#include "gateway/process.h"
#include "gateway/store/errno_error.h"

namespace furrow::gateway {
namespace {

// The socket of the answer that a signal is to end.
volatile std::sig_atomic_t ended_by_signal = -1;

class RunningGateway final : public GatewayAccess {
 public:
  explicit RunningGateway(Descriptor socket) : socket_(std::move(socket)) {}

  Result<std::string> ask(const ControlRequest& request, const OnItem& on_item) override {
    FURROW_TRY_STATUS(send(write_request(request) + "\n"));
    while (true) {
      FURROW_TRY(const std::string line, read_line());
      if (is_end_line(line)) return judge_end(line);
      if (on_item) on_item(line);
    }
  }

  void set_patience(std::chrono::seconds patience) override {
    const timeval time{.tv_sec = patience.count(), .tv_usec = 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  }
  std::optional<int> process() const override {
    ucred peer = {};
    socklen_t size = sizeof peer;
    if (::getsockopt(socket_.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.pid <= 0) return std::nullopt;
    return peer.pid;
  }
  void end_requests() override { ::shutdown(socket_.get(), SHUT_WR); }
  void end_on_signal() override {
    ended_by_signal = socket_.get();
    struct sigaction action = {};
    action.sa_handler = [](int) { ::shutdown(ended_by_signal, SHUT_WR); };
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
  }

 private:
  Status send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::write(socket_.get(), text.data(), text.size());
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) return errno_error("ask the gateway");
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return {};
  }

  Result<std::string> read_line() {
    std::size_t looked_at = begin_;
    while (true) {
      const std::size_t end = input_.find('\n', looked_at);
      if (end != std::string::npos) {
        std::string line = input_.substr(begin_, end - begin_);
        begin_ = end + 1;
        return line;
      }
      input_.erase(0, std::exchange(begin_, 0));
      looked_at = input_.size();
      std::array<char, 65'536> piece;
      const ssize_t count = ::read(socket_.get(), piece.data(), piece.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) return Error(Errc::Io, "the gateway has the socket open and does not answer");
      if (count < 0) return errno_error("read what the gateway answers");
      if (count == 0)
        return Error(Errc::Io, "the gateway has ended the connection: does it stop, or are others asking?");
      input_.append(piece.data(), static_cast<std::size_t>(count));
    }
  }

  const Descriptor socket_;
  std::string input_;
  std::size_t begin_ = 0;  // of the line that is next, in input_
};

struct Chosen {
  std::string name;  // of the configuration, for people
  config::Config config;
};

Result<Chosen> choose(const GatewayChoice& choice) {
  FURROW_TRY(ConfigChoice file, choose_config(choice.config, kDefaultConfigFile));
  if (choice.data) {
    file.loaded.config.gateway.data = *choice.data;
  } else {
    for (const config::Diagnostic& one : file.loaded.diagnostics) {
      if (one.severity == config::Severity::Error) {
        return Error(Errc::InvalidArgument, config::format(one, file.name));
      }
    }
  }
  return Chosen{.name = file.name, .config = std::move(file.loaded.config)};
}

std::string how_to_start(const GatewayChoice& choice) {
  std::string command = "furrow run";
  if (choice.config) command += " -c " + *choice.config;
  if (choice.data) command += " --data " + *choice.data;
  return "start it with: " + command + ", or as a service with: systemctl start furrow";
}

// Nothing when nobody answers there.
Result<std::optional<Descriptor>> connect_to(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return std::optional<Descriptor>();  // the gateway has none there either
  std::memcpy(address.sun_path, path.c_str(), path.size());
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return errno_error("open a socket");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return std::optional(std::move(socket));
  }
  if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR) return std::optional<Descriptor>();
  const std::string advice = errno == EACCES ? "; ask as the user of the gateway, or as root" : "";
  return Error(errc_from_errno(errno), "connect to " + path + ": " + errno_text(errno) + advice);
}

}  // namespace

Result<std::string> GatewayAccess::judge_end(std::string_view line) {
  const auto refusal = read_refusal(line);
  if (refusal) return Error(Errc::InvalidArgument, *refusal);
  return std::string(line);
}

Result<std::unique_ptr<GatewayAccess>> reach_gateway(const GatewayChoice& choice, Reach reach) {
  ignore_broken_pipes();
  FURROW_TRY(const Chosen chosen, choose(choice));
  const std::string data = chosen.config.gateway.data.string();
  FURROW_TRY(std::optional<Descriptor> socket, connect_to(control_socket(data)));
  if (socket) return std::unique_ptr<GatewayAccess>(std::make_unique<RunningGateway>(*std::move(socket)));
  std::error_code unknown;  // a directory that may not be read: opening the store says so
  if (!std::filesystem::exists(data, unknown) && !unknown) {
    return Error(Errc::NotFound, "no gateway runs with the data directory " + data +
                                     ", and none ever has: it is not there; " + how_to_start(choice));
  }
  if (reach == Reach::Running) {
    return Error(Errc::NotFound, "no gateway runs with the data directory " + data + "; " + how_to_start(choice));
  }
  return open_stopped_gateway(chosen.config);
}

int fail_with(const Error& why) {
  return complain(why.message());
}

}  // namespace furrow::gateway
