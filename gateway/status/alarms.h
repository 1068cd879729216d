// What asks for a person: raised once it lasts, and cleared once it is over, so that nothing flickers.
//
// A finding (findings.h) becomes an alarm when it has lasted as long as its kind has to, and an alarm ends when nothing
// of it was found for kClearAfter. Each change is one line of the log. Thread: loop. Time: passed in.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker-core/base/log.h"
#include "gateway/status/findings.h"
#include "gateway/status/model.h"

namespace furrow::gateway {

class Alarms {
 public:
  static constexpr Duration kClearAfter = std::chrono::seconds(5);
  // When a switch fails, all that hangs on it falls silent at once: one more line of the log counts the others.
  static constexpr std::size_t kLinesMax = 10;

  explicit Alarms(Log& log) : log_(log) {}

  // Looks at what was found in the picture of this moment.
  void review(std::vector<Finding> findings, Instant now);
  // When a review changes something though the picture does not; kNever when time alone changes nothing.
  Instant next_deadline() const;

  // The worst first, then in the order in which they were raised.
  std::vector<Alarm> raised() const;
  // Rises when an alarm is raised, cleared, or becomes more or less severe.
  std::uint64_t changes() const { return changes_; }

 private:
  struct Entry {
    Alarm alarm;
    Instant due;             // when it is raised
    std::uint64_t seen = 0;  // the last review that found it
    bool is_raised = false;
    std::optional<Instant> gone;  // since when it is not found any more
  };

  void take(Finding finding, Instant now);
  void note_gone(Instant now);
  void tell_raised(const Alarm& alarm);
  void tell_cleared(const Entry& entry, Instant now);
  bool has_line();
  void tell_unlogged();

  Log& log_;
  std::map<std::string, Entry> entries_;  // by the alarm's id
  std::uint64_t changes_ = 0;
  std::uint64_t seen_ = 0;  // the number of the present review
  std::size_t lines_ = 0;   // that it had for the log
};

}  // namespace furrow::gateway
