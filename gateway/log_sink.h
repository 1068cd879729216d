// Where the log goes: one line per event on standard error, as text or JSON.
//
//   2026-11-24T10:00:00.123Z info bridge.offline name=cloud reason="connection refused" retry_in=8s
//   {"time":"2026-11-24T10:00:00.123Z","level":"info","event":"bridge.offline","name":"cloud",…}
//
// A line is one write, so that lines of several threads and processes do not mix. Under systemd each begins with its
// journal priority, `<6>`. Who reads the log may stop without stopping the gateway: lines that a full pipe would hold
// up are left out, and the first that fits again follows one that says how many (`log.lost`). So no line may be longer
// than what a pipe takes at once, and texts are cut at 512 bytes. Thread: any; there is nothing to lock.
#pragma once

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "broker-core/base/log.h"
#include "broker-core/base/time.h"
#include "gateway/clock.h"

namespace furrow::gateway {

enum class LogFormat : std::uint8_t { Text, Json };

// One line, with its end.
std::string format_log_line(LogFormat format, WallTime time, LogLevel level, std::string_view event,
                            std::initializer_list<LogField> fields);

class LogSink final : public Log {
 public:
  struct Options {
    LogLevel level = LogLevel::Info;
    LogFormat format = LogFormat::Text;
    int descriptor = STDERR_FILENO;
  };
  // `clock` must outlive the sink.
  LogSink(Options options, const Clock& clock);

  // From the next line on; another descriptor is not taken.
  void set(const Options& options);

  bool enabled(LogLevel level) const override { return level <= level_; }
  void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) override;

 private:
  std::string line(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) const;
  bool try_write(const std::string& line) const;

  const int descriptor_;
  const Clock& clock_;
  const bool journal_;  // standard error goes to systemd's journal
  std::atomic<LogLevel> level_;
  std::atomic<LogFormat> format_;
  std::atomic<std::uint64_t> lost_ = 0;  // lines since the last one that was written
};

}  // namespace furrow::gateway
