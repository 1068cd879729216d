#include "gateway/cli/check_machine.h"

#include <linux/magic.h>
#include <pwd.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

#include "config/report.h"
#include "gateway/cli/machine_names.h"
#include "gateway/clock.h"
#include "gateway/identity/users.h"
#include "gateway/net/tls_certificate.h"
#include "gateway/net/tls_context.h"
#include "gateway/secret_file.h"
#include "gateway/store/errno_error.h"

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
  if (const Result<std::string> password = read_secret_line(file); !password) {
    report.warning(path, key + password.error().message() + ": without it the bridge cannot log in");
  } else if (password->empty()) {
    report.warning(path, key + file + " is empty: the bridge logs in with an empty password");
  }
}

void check_proxy_password(const config::Bridge& bridge, const std::string& path, config::Report& report) {
  if (!bridge.enabled || bridge.proxy_password_from.empty()) return;
  const Result<std::string> password = read_secret_line(bridge.proxy_password_from);
  if (password) return;
  report.warning(path, "bridges[].proxy_password_from: " + password.error().message() +
                           ": without it the proxy does not let the bridge in");
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

// --- certificates and keys ---

void check_dates(const TlsContext& context, const std::string& path, const std::string& key, WallTime now,
                 config::Report& report) {
  constexpr Duration kSoon = std::chrono::days(30);
  if (!context.certificate()) return;
  const WallTime until = context.certificate()->not_after;
  const std::string certificate = key + "the certificate " + context.certificate()->file;
  if (until < now) {
    report.warning(path, certificate + " has expired on " + date_text(until) + ": others refuse it");
  } else if (until < now + kSoon) {
    report.warning(path, certificate + " expires on " + date_text(until));
  }
}

// The path of the key that says where the trouble is, as far as one key does.
std::string tls_path(const config::Report& report, const std::string& path, const std::string& key) {
  return report.places().is_written(path + key) ? path + key : path;
}

void check_tls_files(const config::Listener& listener, const std::string& path, config::Report& report) {
  const config::ListenerTls& tls = listener.tls;
  const bool is_whole = !listener.psk_file.empty() || (!tls.certificate.empty() && !tls.key.empty());
  if (!is_whole) return;  // which was said
  const WallTime now = Clock().judged();
  const std::string at = tls_path(report, path, listener.psk_file.empty() ? ".tls" : ".psk_file");
  const auto context = TlsContext::open_server(listener, now);
  if (!context) {
    return report.warning(at, "listeners[]: " + context.error().message() + ": without it furrow does not start");
  }
  check_dates(**context, at, "listeners[].tls: ", now, report);
  if ((*context)->crl_until() && *(*context)->crl_until() < now) {
    report.warning(at, "listeners[].tls.crl: " + (*context)->crl_file() + " has expired on " +
                           date_text(*(*context)->crl_until()) + ": every client is refused");
  }
}

void check_tls_files(const config::Bridge& bridge, const std::string& path, config::Report& report) {
  const bool is_used = bridge.enabled && std::ranges::any_of(bridge.connect, &config::Address::is_encrypted);
  const bool is_whole = bridge.tls.certificate.empty() == bridge.tls.key.empty() &&
                        bridge.psk_identity.empty() == bridge.psk_from.empty();
  if (!is_used || !is_whole) return;
  const std::string at = tls_path(report, path, bridge.psk_identity.empty() ? ".tls" : ".psk_from");
  const auto context = TlsContext::open_client(bridge);
  if (!context) {
    return report.warning(at, "bridges[]: " + context.error().message() + ": without it the bridge cannot connect");
  }
  check_dates(**context, at, "bridges[].tls: ", Clock().judged(), report);
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
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    check_tls_files(config.listeners[i], config::listener_path(i), report);
  }
  for (std::size_t i = 0; i < config.bridges.size(); ++i) {
    check_tls_files(config.bridges[i], config::bridge_path(i), report);
    check_password(config.bridges[i], config::bridge_path(i) + ".password_from", report);
    check_proxy_password(config.bridges[i], config::bridge_path(i) + ".proxy_password_from", report);
    check_loops(config, i, names, report);
  }
}

}  // namespace furrow::gateway
