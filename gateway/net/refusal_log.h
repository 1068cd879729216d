// The log's lines about connections that were refused before they were anybody.
//
// Who, by which listener, and why; but only a few of them a minute, since anybody in the network can cause them and a
// card wears out. The others are counted, and the next line says how many there were. Thread: loop.
#pragma once

#include <cstdint>
#include <string_view>

#include "broker-core/base/log.h"
#include "broker-core/base/time.h"

namespace furrow::gateway {

class RefusalLog {
 public:
  static constexpr unsigned kLinesPerMinute = 10;

  // `log` must outlive this.
  explicit RefusalLog(Log& log) : log_(log) {}

  void write(std::string_view listener, std::string_view peer, std::string_view why, Instant now);

 private:
  Log& log_;
  Instant minute_;  // when the current one began
  unsigned lines_ = 0;
  std::uint64_t unlogged_ = 0;
};

}  // namespace furrow::gateway
