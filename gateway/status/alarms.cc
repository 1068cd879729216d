#include "gateway/status/alarms.h"

#include <algorithm>
#include <utility>

namespace furrow::gateway {
namespace {

LogLevel level_of(Alarm::Severity severity) {
  return severity == Alarm::Severity::Error ? LogLevel::Error : LogLevel::Warning;
}

}  // namespace

void Alarms::review(std::vector<Finding> findings, Instant now) {
  lines_ = 0;
  ++seen_;
  for (Finding& one : findings) take(std::move(one), now);
  note_gone(now);
  tell_unlogged();
}

void Alarms::take(Finding finding, Instant now) {
  const auto known = entries_.find(finding.alarm.id);
  const bool is_raised = known != entries_.end() && known->second.is_raised;
  if (finding.only_keeps && !is_raised) return;
  std::string id = finding.alarm.id;
  Entry& entry = known != entries_.end() ? known->second : entries_[std::move(id)];
  if (known != entries_.end()) finding.alarm.since = std::min(finding.alarm.since, entry.alarm.since);
  const bool is_other = finding.alarm.severity != entry.alarm.severity;
  entry.alarm = std::move(finding.alarm);
  entry.due = entry.alarm.since + finding.raise_after;
  entry.seen = seen_;
  entry.gone.reset();
  if (!is_raised && entry.due > now) return;
  if (std::exchange(entry.is_raised, true) && !is_other) return;
  ++changes_;
  tell_raised(entry.alarm);
}

void Alarms::note_gone(Instant now) {
  for (auto one = entries_.begin(); one != entries_.end();) {
    Entry& entry = one->second;
    const bool is_found = entry.seen == seen_;
    if (!is_found && entry.is_raised && !entry.gone) entry.gone = now;
    const bool is_over = !is_found && (!entry.is_raised || now - *entry.gone >= kClearAfter);
    if (is_over && entry.is_raised) {
      ++changes_;
      tell_cleared(entry, now);
    }
    one = is_over ? entries_.erase(one) : std::next(one);
  }
}

Instant Alarms::next_deadline() const {
  Instant next = kNever;
  for (const auto& [id, entry] : entries_) {
    if (entry.gone) next = std::min(next, *entry.gone + kClearAfter);
    if (!entry.is_raised) next = std::min(next, entry.due);
  }
  return next;
}

std::vector<Alarm> Alarms::raised() const {
  std::vector<Alarm> all;
  for (const auto& [id, entry] : entries_) {
    if (entry.is_raised) all.push_back(entry.alarm);
  }
  std::ranges::stable_sort(all, {}, [](const Alarm& one) { return std::pair(one.severity, one.since); });
  return all;
}

bool Alarms::has_line() {
  return ++lines_ <= kLinesMax;
}

void Alarms::tell_raised(const Alarm& alarm) {
  if (!has_line()) return;
  log_.write(level_of(alarm.severity), "alarm.raised",
             {{"id", alarm.id}, {"about", alarm.about}, {"what", alarm.what}, {"do", alarm.todo}});
}

void Alarms::tell_cleared(const Entry& entry, Instant now) {
  if (!has_line()) return;
  log_.write(
      LogLevel::Info, "alarm.cleared",
      {{"id", entry.alarm.id}, {"about", entry.alarm.about}, {"after_s", whole_seconds(now - entry.alarm.since)}});
}

void Alarms::tell_unlogged() {
  if (lines_ <= kLinesMax) return;
  log_.write(LogLevel::Warning, "alarm.more",
             {{"unlogged", std::uint64_t{lines_ - kLinesMax}}, {"see", "$SYS/furrow/alarms"}});
}

}  // namespace furrow::gateway
