#include "gateway/cli/child_program.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

#include "gateway/net/descriptor.h"
#include "gateway/process.h"
#include "gateway/store/errno_error.h"

extern char** environ;

namespace furrow::gateway {
namespace {

struct Pipe {
  Descriptor read;
  Descriptor write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno_error("make a pipe");
  return Pipe{.read = Descriptor(ends[0]), .write = Descriptor(ends[1])};
}

// A program that runs, with these as its standard input and outputs.
Result<pid_t> spawn_program(const std::vector<std::string>& arguments, int input, int output, int error) {
  std::vector<char*> words;
  for (const std::string& one : arguments) words.push_back(const_cast<char*>(one.c_str()));
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (input >= 0) {
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  } else {
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  }
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, error, STDERR_FILENO);
  // It gets broken pipes as programs do.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t usual;
  sigemptyset(&usual);
  sigaddset(&usual, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &usual);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  pid_t child = 0;
  const int failed = ::posix_spawnp(&child, words.front(), &actions, &attributes, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) return Error(errc_from_errno(failed), "run " + arguments.front() + ": " + errno_text(failed));
  return child;
}

// The exit code; 128 and the signal where one ended it.
int wait_for_program(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// False when the time was over first.
bool read_output(int from, std::string& text, std::size_t bytes_max, std::chrono::seconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    pollfd ready{.fd = from, .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || ::poll(&ready, 1, static_cast<int>(left.count())) == 0) return false;
    std::array<char, 65'536> piece;
    const ssize_t count = ::read(from, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return true;
    text.append(piece.data(), std::min(static_cast<std::size_t>(count), bytes_max - text.size()));
  }
}

}  // namespace

Result<ChildOutput> run_program(const std::vector<std::string>& arguments, std::size_t bytes_max,
                                std::chrono::seconds patience) {
  FURROW_TRY(Pipe pipe, make_pipe());
  FURROW_TRY(const pid_t child, spawn_program(arguments, -1, pipe.write.get(), pipe.write.get()));
  pipe.write = Descriptor();
  ChildOutput output;
  const bool in_time = read_output(pipe.read.get(), output.text, bytes_max, patience);
  if (!in_time) ::kill(child, SIGKILL);
  output.exit_code = wait_for_program(child);
  if (!in_time) {
    return Error(Errc::Io, arguments.front() + " was not done in " + std::to_string(patience.count()) + " s");
  }
  return output;
}

Status filter_into(const std::vector<std::string>& arguments, std::string_view input, int output) {
  ignore_broken_pipes();
  FURROW_TRY(Pipe pipe, make_pipe());
  FURROW_TRY(const pid_t child, spawn_program(arguments, pipe.read.get(), output, STDERR_FILENO));
  pipe.read = Descriptor();
  std::optional<int> failed;
  while (!input.empty() && !failed) {
    const ssize_t count = ::write(pipe.write.get(), input.data(), input.size());
    if (count >= 0) {
      input.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno != EINTR) {
      failed = errno;
    }
  }
  pipe.write = Descriptor();
  const int exit_code = wait_for_program(child);
  if (exit_code != 0) return Error(Errc::Io, arguments.front() + " ended with " + std::to_string(exit_code));
  if (failed) return Error(errc_from_errno(*failed), "write to " + arguments.front() + ": " + errno_text(*failed));
  return {};
}

}  // namespace furrow::gateway
