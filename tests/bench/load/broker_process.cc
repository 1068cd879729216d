#include "tests/bench/load/broker_process.h"

#include <fstream>
#include <string>
#include <thread>

#include "tests/bench/load/fail.h"

namespace furrow::load {

BrokerProcess::BrokerProcess(pid_t pid) : pid_(pid) {
  if (::clock_getcpuclockid(pid, &clock_) != 0) fail("there is no process " + std::to_string(pid));
}

std::chrono::nanoseconds BrokerProcess::cpu() const {
  timespec time{};
  if (::clock_gettime(clock_, &time) != 0) fail("the broker's process is gone");
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

std::uint64_t BrokerProcess::resident_bytes() const {
  return read_status("VmRSS:");
}

std::uint64_t BrokerProcess::resident_peak_bytes() const {
  return read_status("VmHWM:");
}

void BrokerProcess::wait_until_idle(std::chrono::milliseconds quiet) const {
  constexpr int kAttemptsMax = 60;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const std::chrono::nanoseconds before = cpu();
    std::this_thread::sleep_for(quiet);
    if (cpu() - before < quiet / 100) return;
  }
  fail("the broker does not come to rest");
}

std::uint64_t BrokerProcess::read_status(const std::string& name) const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name)) return std::stoull(line.substr(name.size())) * 1024;
  }
  fail("the broker's process is gone");
}

}  // namespace furrow::load
