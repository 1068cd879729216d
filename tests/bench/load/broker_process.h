// What the measured process has used, read from outside of it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>

namespace furrow::load {

class BrokerProcess {
 public:
  explicit BrokerProcess(pid_t pid);

  // User and system time of all its threads, since its start. The same sum that /proc/PID/stat has, which rounds it to
  // hundredths of a second: too coarse for a good broker.
  std::chrono::nanoseconds cpu() const;
  // Its resident memory, VmRSS of /proc/PID/status.
  std::uint64_t resident_bytes() const;
  // The most that it ever was, VmHWM.
  std::uint64_t resident_peak_bytes() const;
  // Returns once it has come to rest: it used less than a hundredth of the processor for as long as `quiet`. Fails when
  // it does not.
  void wait_until_idle(std::chrono::milliseconds quiet) const;

 private:
  // A size in /proc/PID/status.
  std::uint64_t read_status(const std::string& name) const;

  const pid_t pid_;
  clockid_t clock_ = 0;
};

}  // namespace furrow::load
