// What the measured process has used, read from outside of it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <ctime>
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
  // What it made the kernel write to block devices, write_bytes of /proc/PID/io: whole pages of the page cache, each as
  // often as it became dirty. A tmpfs counts nothing.
  std::uint64_t disk_bytes() const;
  // Returns once it has come to rest: it used less than a hundredth of the processor for as long as `quiet`. Fails when
  // it does not.
  void wait_until_idle(std::chrono::milliseconds quiet) const;

 private:
  // A field of a file in /proc/PID that has one on each line, as "name: number".
  std::uint64_t read_field(const std::string& file, const std::string& name) const;

  const pid_t pid_;
  clockid_t clock_ = 0;
};

}  // namespace furrow::load
