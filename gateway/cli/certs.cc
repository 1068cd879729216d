#include "gateway/cli/certs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "broker-core/base/ip.h"
#include "broker-core/base/printable.h"
#include "broker-core/base/result.h"
#include "broker-core/mqtt/utf8.h"
#include "gateway/cli/config_choice.h"
#include "gateway/cli/exit_code.h"
#include "gateway/cli/machine_names.h"
#include "gateway/clock.h"
#include "gateway/net/certificate_maker.h"
#include "gateway/net/descriptor.h"
#include "gateway/net/tls_certificate.h"
#include "gateway/secret_file.h"
#include "gateway/store/errno_error.h"
#include "gateway/text_file.h"

namespace furrow::gateway {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kCommonNameBytesMax = 64;  // X.520: ub-common-name

// Makes a new file that we alone may read.
Status write_new(const fs::path& file, const std::string& text) {
  const Descriptor descriptor(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!descriptor && errno == EEXIST) {
    return Error(Errc::InUse, file.string() + " is there already, and is not written over; remove it if it may go");
  }
  if (!descriptor) return errno_error("write " + file.string());
  return write_all(descriptor, text, "write " + file.string());
}

// The certificate and its key, both or neither.
Status write_pair(const fs::path& directory, const std::string& name, const MadeCertificate& made) {
  const fs::path certificate = directory / (name + ".crt");
  const fs::path key = directory / (name + ".key");
  std::error_code unknown;
  if (fs::exists(certificate, unknown)) return write_new(certificate, made.certificate);  // says that it is there
  FURROW_TRY_STATUS(write_new(key, made.key));
  Status written = write_new(certificate, made.certificate);
  if (!written) fs::remove(key, unknown);
  return written;
}

std::vector<std::string> hosts_of_machine() {
  std::vector<std::string> hosts = names_of_machine();
  hosts.insert(hosts.begin(), {"localhost", "127.0.0.1", "::1"});
  std::vector<std::string> different;
  for (const std::string& one : hosts) {
    const std::string host = one.substr(0, one.find('%'));
    if (std::ranges::find(different, host) == different.end()) different.push_back(host);
  }
  return different;
}

// The name of this machine, short enough for a common name.
std::string name_among(const std::vector<std::string>& hosts) {
  constexpr std::size_t kMachineBytesMax = 48;
  const auto is_name = [](const std::string& host) { return host != "localhost" && !IpAddress::parse(host); };
  const auto found = std::ranges::find_if(hosts, is_name);
  return found == hosts.end() ? "localhost" : found->substr(0, kMachineBytesMax);
}

// --- init ---

Status init(const CertsOptions& options, WallTime now) {
  const fs::path directory = options.directory;
  std::error_code fault;
  if (fs::create_directories(directory, fault)) fs::permissions(directory, fs::perms::owner_all, fault);
  if (fault) return Error(Errc::Io, "make " + directory.string() + ": " + fault.message());
  std::vector<std::string> hosts = hosts_of_machine();
  const std::string machine = name_among(hosts);
  FURROW_TRY(const MadeCertificate ca, make_ca("furrow CA of " + machine, now));
  const CertificateWish wish{.name = machine, .hosts = std::move(hosts), .days = options.days};
  FURROW_TRY(const MadeCertificate server, issue_certificate(ca, wish, now));
  FURROW_TRY_STATUS(write_pair(directory, "ca", ca));
  FURROW_TRY_STATUS(write_pair(directory, "server", server));
  const std::string at = directory.string();
  std::string names;
  for (const std::string& one : wish.hosts) names += (names.empty() ? "" : ", ") + one;
  std::printf("%s/ca.crt      the CA: clients and other gateways get it, to trust this one\n", at.c_str());
  std::printf("%s/ca.key      its key: who has it makes certificates; keep it elsewhere\n", at.c_str());
  std::printf("%s/server.crt  for %s; until %s\n", at.c_str(), names.c_str(),
              date_text(now + std::chrono::days(wish.days)).c_str());
  std::printf("%s/server.key  its key; furrow must be able to read both (chown)\n\n", at.c_str());
  std::printf(
      "listeners:\n  - bind: \"*:8883\"\n    tls: {certificate: %s/server.crt, key: %s/server.key, client_ca: "
      "%s/ca.crt}\n\n'furrow certs issue NAME --dir %s' makes a certificate for a device.\n",
      at.c_str(), at.c_str(), at.c_str(), at.c_str());
  return {};
}

// --- issue ---

bool is_file_name(const std::string& name) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '/'; };
  return !name.empty() && name.size() <= kCommonNameBytesMax && name.front() != '.' && name.front() != '-' &&
         std::ranges::none_of(name, is_control) && mqtt::is_valid_utf8(name);
}

Status issue(const CertsOptions& options, WallTime now) {
  const fs::path directory = options.directory;
  if (!is_file_name(options.name)) {
    return Error(Errc::InvalidArgument, "'" + printable(options.name, 100) +
                                            "' cannot be the name of a certificate and a file: 1 to 64 bytes without "
                                            "a slash, not beginning with a dot or a dash");
  }
  MadeCertificate ca;
  const auto advise = [&](Error error) {
    return Error(error.code(), error.message() + "; 'furrow certs init " + directory.string() +
                                   "' makes a CA there, or name another with --dir");
  };
  Result<std::string> certificate = read_public_file(directory / "ca.crt");
  if (!certificate) return advise(std::move(certificate).error());
  Result<std::string> key = read_secret_file(directory / "ca.key");
  if (!key) return advise(std::move(key).error());
  ca = {*std::move(certificate), *std::move(key)};
  const CertificateWish wish{.name = options.name, .hosts = options.hosts, .days = options.days};
  FURROW_TRY(const MadeCertificate made, issue_certificate(ca, wish, now));
  FURROW_TRY_STATUS(write_pair(directory, options.name, made));
  const std::string at = (directory / options.name).string();
  std::printf("%s.crt  for %s; until %s\n%s.key  its key\n", at.c_str(), options.name.c_str(),
              date_text(now + std::chrono::days(options.days)).c_str(), at.c_str());
  return {};
}

// --- show ---

struct Shown {
  std::string whose;
  fs::path file;
};

// Every certificate of one file, a line each; false when one cannot be read or has expired.
bool show(const Shown& one, WallTime now) {
  const Result<std::string> text = read_public_file(one.file);
  Result<Certificates> chain = text ? parse_certificates(*text, one.file) : Result<Certificates>(text.error());
  if (!chain) {
    std::printf("%-32s %s\n", one.whose.c_str(), chain.error().message().c_str());
    return false;
  }
  bool is_fine = true;
  for (const CertificatePtr& each : *chain) {
    const auto days = std::chrono::floor<std::chrono::days>(not_after(*each) - now).count();
    std::string names;
    for (const std::string& host : host_names(*each, 5)) names += (names.empty() ? "  for " : ", ") + host;
    std::printf("%-32s %6lld days, until %s  %s  %s%s\n", one.whose.c_str(), static_cast<long long>(days),
                date_text(not_after(*each)).c_str(), printable(subject_text(*each), 100).c_str(),
                public_key_pin(*each).c_str(), names.c_str());
    is_fine = is_fine && days >= 0;
  }
  return is_fine;
}

std::vector<Shown> all_of(const config::Config& config) {
  std::vector<Shown> all;
  for (const config::Listener& one : config.listeners) {
    const std::string whose = "listener " + one.bind.text();
    if (!one.tls.certificate.empty()) all.push_back({whose, one.tls.certificate});
    if (!one.tls.client_ca.empty()) all.push_back({whose + " client_ca", one.tls.client_ca});
  }
  for (const config::Bridge& one : config.bridges) {
    const std::string whose = "bridge " + one.name;
    if (!one.tls.certificate.empty()) all.push_back({whose, one.tls.certificate});
    if (one.tls.ca) all.push_back({whose + " ca", *one.tls.ca});
  }
  return all;
}

int show(const CertsOptions& options, WallTime now) {
  const auto choice = choose_config(options.config, kDefaultConfigFile);
  if (!choice) return complain(choice.error().message(), kExitUsage);
  if (config::has_errors(choice->loaded.diagnostics)) {
    return complain(choice->name + " has errors; 'furrow check' says which", kExitUsage);
  }
  const std::vector<Shown> all = all_of(choice->loaded.config);
  if (all.empty()) std::printf("%s names no certificates\n", choice->name.c_str());
  bool is_fine = true;
  for (const Shown& one : all) is_fine = show(one, now) && is_fine;
  return is_fine ? kExitFine : kExitFailure;
}

}  // namespace

int run_certs(const CertsOptions& options) {
  const WallTime now = Clock().judged();
  if (options.action == CertsOptions::Action::Show) return show(options, now);
  const Status done = options.action == CertsOptions::Action::Init ? init(options, now) : issue(options, now);
  return done ? kExitFine : complain(done.error().message());
}

}  // namespace furrow::gateway
