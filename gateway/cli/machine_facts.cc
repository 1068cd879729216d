#include "gateway/cli/machine_facts.h"

#include <openssl/crypto.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <vector>

#include "broker-core/base/bytes.h"
#include "broker-core/base/printable.h"
#include "gateway/clock.h"
#include "gateway/store/errno_error.h"
#include "gateway/version.h"

namespace furrow::gateway {
namespace {

constexpr std::size_t kFactBytesMax = 16 * KiB;
constexpr std::size_t kFilesListedMax = 1000;

// The beginning of a file of /proc, /sys or /etc; empty where there is none.
std::string read_beginning(const std::string& path) {
  std::ifstream file(path);
  std::string text(kFactBytesMax, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return text;
}

std::string first_line_of(const std::string& path) {
  const std::string text = read_beginning(path);
  return text.substr(0, text.find_first_of(std::string_view("\n\0", 2)));
}

// Those lines of `text` that begin with one of `names`.
std::string lines_with(std::string_view text, const std::vector<std::string_view>& names) {
  std::string found;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const bool is_wanted = std::ranges::any_of(names, [&](std::string_view name) { return line.starts_with(name); });
    if (is_wanted) found += std::string(line) + "\n";
  }
  return found;
}

std::string fact(std::string_view name, const std::string& value) {
  return value.empty() ? std::string() : std::string(name) + ": " + printable(value, kFactBytesMax) + "\n";
}

std::string number_text(std::uint64_t number) {
  return std::to_string(number);
}

std::string kernel_facts() {
  utsname name{};
  if (::uname(&name) != 0) return {};
  return fact("kernel", std::string(name.sysname) + " " + name.release + " " + name.version) +
         fact("architecture", name.machine);
}

std::string clock_facts() {
  const Clock clock;
  timex state{};
  const int kernel = ::adjtimex(&state);
  std::string text = fact("clock", utc_text(clock.wall()));
  text += fact("clock trusted by furrow", clock.trusted() ? "yes" : "no");
  text += fact("clock synchronised by the kernel's account",
               kernel < 0 || kernel == TIME_ERROR || (state.status & STA_UNSYNC) != 0 ? "no" : "yes");
  text += fact("real-time clock", std::filesystem::exists("/sys/class/rtc/rtc0") ? "yes" : "no");
  ::tzset();
  return text + fact("time zone", tzname[0]);
}

// The file system that has `directory`: the mount with the longest path that leads there.
std::string mount_facts(const std::string& directory) {
  std::error_code failed;
  const std::string path = std::filesystem::weakly_canonical(directory, failed).string();
  std::ifstream mounts("/proc/self/mounts");
  std::string best;
  std::string line;
  std::size_t length = 0;
  while (std::getline(mounts, line)) {
    const std::size_t begin = line.find(' ') + 1;
    const std::string at = line.substr(begin, line.find(' ', begin) - begin);
    const bool leads_there = at == "/" || path == at || path.starts_with(at + "/");
    if (!leads_there || at.size() < length) continue;
    length = at.size();
    best = line.substr(begin);
  }
  return fact("mount of the data directory", best);
}

std::string disk_facts(const std::string& directory) {
  struct statvfs disk = {};
  if (::statvfs(directory.c_str(), &disk) != 0) return mount_facts(directory);
  const std::uint64_t block = disk.f_frsize;
  return fact("disk of the data directory", number_text(disk.f_blocks * block / MiB) + " MiB, " +
                                                number_text(disk.f_bavail * block / MiB) + " MiB free, " +
                                                number_text(disk.f_favail) + " inodes free") +
         mount_facts(directory);
}

}  // namespace

std::string build_facts() {
  std::string text = fact("furrow", kVersion);
  text += fact("compiler", __VERSION__);
#ifdef NDEBUG
  text += fact("build", "release");
#else
  text += fact("build", "with assertions");
#endif
  text += fact("bits", number_text(8 * sizeof(void*)));
  text += fact("libuv", uv_version_string());
  text += fact("OpenSSL", OpenSSL_version(OPENSSL_VERSION));
  return text + fact("SQLite", sqlite3_libversion());
}

std::string system_facts(const std::string& directory) {
  std::string text = kernel_facts();
  text += lines_with(read_beginning("/etc/os-release"), {"PRETTY_NAME="});
  text += fact("machine", first_line_of("/proc/device-tree/model"));
  text += fact("processors", number_text(static_cast<std::uint64_t>(std::max(::sysconf(_SC_NPROCESSORS_ONLN), 0L))));
  text += fact("load", first_line_of("/proc/loadavg"));
  text += fact("up since, s", first_line_of("/proc/uptime"));
  text += lines_with(read_beginning("/proc/meminfo"), {"MemTotal:", "MemAvailable:", "SwapTotal:", "SwapFree:"});
  text += clock_facts();
  return text + disk_facts(directory);
}

std::string process_facts(std::optional<int> process) {
  const std::string folder = "/proc/" + (process ? std::to_string(*process) : std::string("self"));
  std::string text = process ? "of the gateway, process " + std::to_string(*process) + "\n" : "of this command\n";
  text += read_beginning(folder + "/limits");
  text += lines_with(read_beginning(folder + "/status"), {"VmPeak:", "VmRSS:", "RssAnon:", "VmSwap:", "Threads:"});
  text += fact("control groups", first_line_of(folder + "/cgroup"));
  return text + fact("AppArmor", first_line_of(folder + "/attr/current"));
}

Result<std::string> directory_facts(const std::string& directory) {
  std::error_code failed;
  std::vector<std::string> lines;
  for (std::filesystem::recursive_directory_iterator at(directory, failed), end; !failed && at != end;
       at.increment(failed)) {
    struct stat found = {};
    if (::lstat(at->path().c_str(), &found) != 0) continue;
    std::array<char, 80> head{};
    std::snprintf(head.data(), head.size(), "%12llu %04o %u:%u ", static_cast<unsigned long long>(found.st_size),
                  static_cast<unsigned>(found.st_mode & 07777U), found.st_uid, found.st_gid);
    const WallTime written{std::chrono::seconds(found.st_mtime)};
    const std::string name = at->path().lexically_relative(directory).string();
    lines.push_back(head.data() + utc_seconds_text(written) + " " + printable(name, kFactBytesMax) + "\n");
    if (lines.size() == kFilesListedMax) break;
  }
  if (failed) return Error(errc_from_errno(failed.value()), "list " + directory + ": " + failed.message());
  std::ranges::sort(lines);
  std::string text = "bytes, mode, owner, written, name\n";
  for (const std::string& line : lines) text += line;
  return text;
}

}  // namespace furrow::gateway
