#include "gateway/cli/demo_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <utility>

#include "broker-core/base/check.h"
#include "gateway/net/descriptor.h"
#include "gateway/store/errno_error.h"

namespace furrow::gateway {
namespace {

constexpr std::size_t kTailLines = 10;

// Becomes the program. Between fork() and exec() only what is safe in a signal handler may be called.
[[noreturn]] void become(char* const* arguments, int log, pid_t parent) {
  ::setpgid(0, 0);  // Ctrl-C is for the demo, which stops its processes in order
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(1);  // it ended before that
  const int nothing = ::open("/dev/null", O_RDWR);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(nothing, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::execv("/proc/self/exe", arguments);
  ::_exit(127);
}

}  // namespace

std::uint16_t port_of_listening(std::string_view line) {
  constexpr std::string_view kAddress = " address=";
  const std::size_t address = line.find(kAddress);
  if (line.find(" listening ") == std::string_view::npos || address == std::string_view::npos) return 0;
  const std::string_view text = line.substr(address + kAddress.size());
  const std::size_t colon = text.rfind(':');
  std::uint16_t port = 0;
  if (colon != std::string_view::npos) std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
  return port;
}

Result<std::unique_ptr<DemoProcess>> DemoProcess::start(uv_loop_t& loop, std::vector<std::string> arguments,
                                                        Events events) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno_error("make a pipe");
  Descriptor read_end(ends[0]);
  const Descriptor write_end(ends[1]);
  arguments.insert(arguments.begin(), "furrow");
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);

  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return errno_error("start a process");
  if (child == 0) become(pointers.data(), write_end.get(), parent);
  return std::unique_ptr<DemoProcess>(new DemoProcess(loop, child, read_end.release(), std::move(events)));
}

DemoProcess::DemoProcess(uv_loop_t& loop, pid_t pid, int log, Events events)
    : pid_(pid), events_(std::move(events)), log_(loop, this, uv_pipe_init, 0) {
  FURROW_CHECK(uv_pipe_open(log_.get(), log) == 0);
  const auto lend = [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
    auto& space = static_cast<DemoProcess*>(handle->data)->buffer_;
    *buffer = uv_buf_init(space.data(), static_cast<unsigned>(space.size()));
  };
  const auto on_read = [](uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
    auto& process = *static_cast<DemoProcess*>(stream->data);
    if (count > 0) process.on_log({buffer->base, static_cast<std::size_t>(count)});
    if (count < 0) {
      uv_read_stop(stream);
      process.events_.on_ended();
    }
  };
  FURROW_CHECK(uv_read_start(reinterpret_cast<uv_stream_t*>(log_.get()), lend, on_read) == 0);
}

DemoProcess::~DemoProcess() {
  ::kill(pid_, SIGTERM);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void DemoProcess::on_log(std::string_view bytes) {
  unfinished_ += bytes;
  for (std::size_t end = unfinished_.find('\n'); end != std::string::npos; end = unfinished_.find('\n')) {
    std::string line = unfinished_.substr(0, end);
    unfinished_.erase(0, end + 1);
    on_line(std::move(line));
  }
}

void DemoProcess::on_line(std::string line) {
  const bool is_web = line.find(" name=websocket") != std::string::npos;
  if (std::uint16_t& port = is_web ? web_port_ : port_; port == 0) port = port_of_listening(line);
  const bool ready = line.ends_with(" info ready");
  tail_.push_back(std::move(line));
  if (tail_.size() > kTailLines) tail_.pop_front();
  if (ready) events_.on_ready(port_);
}

std::string DemoProcess::log_tail() const {
  std::string text;
  for (const std::string& line : tail_) text += line + "\n";
  return text;
}

}  // namespace furrow::gateway
