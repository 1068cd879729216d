#include "gateway/cli/check_machine.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/magic.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "config/report.h"
#include "gateway/identity/users.h"
#include "gateway/secret_file.h"
#include "gateway/store/data_directory.h"
#include "gateway/text_file.h"

namespace furrow::gateway {
namespace {

namespace fs = std::filesystem;

std::string user_name() {
  const passwd* found = ::getpwuid(::geteuid());
  return found != nullptr ? found->pw_name : "uid " + std::to_string(::geteuid());
}

// `path` itself, or the nearest directory around it that exists.
fs::path nearest_existing(fs::path path) {
  std::error_code unknown;
  path = fs::absolute(path, unknown);
  while (path.has_relative_path() && !fs::exists(path, unknown)) path = path.parent_path();
  return path;
}

// Memory that looks like a disk: it is empty after each start of the machine.
bool is_in_memory(const fs::path& path) {
  struct statfs found = {};
  if (::statfs(path.c_str(), &found) != 0) return false;
  return found.f_type == TMPFS_MAGIC || found.f_type == RAMFS_MAGIC;
}

// Why the directory cannot be made or written to; empty when it can. DataDirectory makes the last folder only.
std::string fault_of_directory(const fs::path& path) {
  std::error_code unknown;
  const fs::path existing = nearest_existing(path);
  const fs::path parent = fs::absolute(path, unknown).parent_path();
  if (existing != fs::absolute(path, unknown) && existing != parent) {
    return "cannot be made, because there is no " + parent.string();
  }
  if (!fs::is_directory(existing, unknown)) return "cannot be used, because " + existing.string() + " is a file";
  if (::access(existing.c_str(), W_OK | X_OK) == 0) return {};
  const std::string cause = errno_text(errno);
  return (existing == parent ? "cannot be made by " : "cannot be written to by ") + user_name() + ": " + cause;
}

void check_data(const config::Gateway& gateway, config::Report& report) {
  const std::string key = "gateway.data: " + gateway.data.string() + " ";
  if (const std::string fault = fault_of_directory(gateway.data); !fault.empty()) {
    report.warning("gateway.data", key + fault + "; run furrow as a user who may, or with another --data DIR");
  }
  if (is_in_memory(nearest_existing(gateway.data))) {
    report.warning("gateway.data", key + "is in memory (a tmpfs): nothing survives a restart of this machine");
  }
}

void check_password(const config::Bridge& bridge, const std::string& path, config::Report& report) {
  if (!bridge.enabled || bridge.password_from.empty()) return;
  const std::string file = bridge.password_from.string();
  const std::string key = "bridges[].password_from: ";
  struct stat found = {};
  if (const Result<std::string> password = read_first_line(file); !password) {
    report.warning(path, key + password.error().message() + ": without it the bridge cannot log in");
  } else if (password->empty()) {
    report.warning(path, key + file + " is empty: the bridge logs in with an empty password");
  } else if (::stat(file.c_str(), &found) == 0 && (found.st_mode & S_IROTH) != 0) {
    report.warning(path, key + "every user of this machine may read " + file + "; 'chmod o= " + file + "' ends that");
  }
}

void check_users(const config::Access& access, config::Report& report) {
  if (access.password_file.empty()) return;
  const auto say = [&](const Error& error) {
    report.error("access.password_file", "access.password_file: " + error.message());
  };
  const Result<std::string> text = read_secret_file(access.password_file);
  if (!text) {
    say(text.error());
    return;
  }
  const Result<Users> users = Users::parse(*text, access.password_file.string());
  if (!users) say(users.error());
  if (users && users->size() == 0) {
    report.warning("access.password_file", "access.password_file: there are no users in " +
                                               access.password_file.string() + "; 'furrow passwd' adds some");
  }
}

std::string text_of(const sockaddr& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* bytes = nullptr;
  if (address.sa_family == AF_INET) bytes = &reinterpret_cast<const sockaddr_in&>(address).sin_addr;
  if (address.sa_family == AF_INET6) bytes = &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  if (bytes == nullptr || ::inet_ntop(address.sa_family, bytes, text.data(), text.size()) == nullptr) return {};
  return text.data();
}

// The addresses and the name of this machine.
std::vector<std::string> names_of_machine() {
  std::vector<std::string> names;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) == 0) {
    const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(first, ::freeifaddrs);
    for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
      if (one->ifa_addr != nullptr) names.push_back(text_of(*one->ifa_addr));
    }
  }
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) == 0) names.emplace_back(name.data());
  std::erase(names, std::string());
  return names;
}

// A bridge to an address of this machine, where a listener on every address waits: what goes up comes in again.
void check_loops(const config::Config& config, std::size_t index, const std::vector<std::string>& names,
                 config::Report& report) {
  for (const config::Address& address : config.bridges[index].connect) {
    const bool is_here = std::find(names.begin(), names.end(), address.host) != names.end();
    for (const config::Listener& listener : config.listeners) {
      const config::Bind& bind = listener.bind;
      const bool is_wide = bind.host == "*" || bind.host == "0.0.0.0" || bind.host == "::";
      // A loop that the texts alone show is an error of the configuration, and was said.
      if (!is_here || !is_wide || bind.port != address.port || bind.is_reached_by(address)) continue;
      report.warning(config::bridge_path(index) + ".connect",
                     "bridges[].connect: " + address.text() + " is this machine, whose port " +
                         std::to_string(bind.port) + " is this gateway's own listener on " + bind.text());
      break;
    }
  }
}

}  // namespace

void check_machine(const config::Config& config, const config::Places& places, config::Diagnostics& diagnostics) {
  config::Report report(places, diagnostics);
  check_data(config.gateway, report);
  check_users(config.access, report);
  const std::vector<std::string> names = names_of_machine();
  for (std::size_t i = 0; i < config.bridges.size(); ++i) {
    check_password(config.bridges[i], config::bridge_path(i) + ".password_from", report);
    check_loops(config, i, names, report);
  }
}

}  // namespace furrow::gateway
