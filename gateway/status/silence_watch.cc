#include "gateway/status/silence_watch.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace furrow::gateway {

// --- all of them ---

SilenceWatch::~SilenceWatch() = default;

void SilenceWatch::set(const std::vector<Entry>& entries, Instant now) {
  std::vector<std::unique_ptr<Watched>> had = std::exchange(entries_, {});
  for (const Entry& entry : entries) {
    const auto same = std::ranges::find_if(had, [&](const auto& one) { return one && one->entry() == entry; });
    entries_.push_back(same != had.end() ? std::move(*same) : std::make_unique<Watched>(entry, broker_, log_, now));
  }
  for (const auto& gone : had) {
    if (gone) changes_ += gone->changes() + 1;
  }
}

SilenceStatus SilenceWatch::status(Instant now) const {
  SilenceStatus status;
  for (const auto& one : entries_) one->add_to(status, now);
  return status;
}

void SilenceWatch::note_looked(Instant now) {
  for (const auto& one : entries_) one->note_looked(now);
}

Instant SilenceWatch::next_deadline() const {
  Instant next = kNever;
  for (const auto& one : entries_) next = std::min(next, one->next_deadline());
  return next;
}

std::uint64_t SilenceWatch::changes() const {
  std::uint64_t changes = changes_;
  for (const auto& one : entries_) changes += one->changes();
  return changes;
}

// --- one of them ---

SilenceWatch::Watched::Watched(Entry entry, broker::Broker& broker, Log& log, Instant now)
    : entry_(std::move(entry)), broker_(broker), log_(log), subscriber_(broker.add_destination(*this)) {
  broker_.subscribe(subscriber_, entry_.filter, {});
  broker::RetainedStore::Walk walk(broker_.retained(), entry_.filter);
  std::size_t steps = std::numeric_limits<std::size_t>::max();
  while (const broker::MessageRef* const message = walk.next(steps)) {
    if (heard_.size() == kTopicsMax) break;
    hear((*message)->topic(), (*message)->received());
  }
  due_ = std::max(due_, now);
}

SilenceWatch::Watched::~Watched() {
  broker_.unsubscribe(subscriber_, entry_.filter);
  broker_.remove_destination(subscriber_);
}

void SilenceWatch::Watched::deliver(broker::Publication& publication, const broker::RoutedDelivery&) {
  const broker::Message::Fields& fields = publication.fields();
  if (fields.retain && fields.payload.empty()) {
    changes_ += heard_.erase(std::string(fields.topic));
  } else {
    hear(fields.topic, publication.now());
  }
}

void SilenceWatch::Watched::hear(std::string_view topic, Instant when) {
  const auto known = heard_.find(topic);
  if (known != heard_.end()) {
    if (known->second + entry_.silent_after <= when) ++changes_;
    known->second = when;
    return;
  }
  if (heard_.size() < kTopicsMax) {
    heard_.emplace(topic, when);
    due_ = std::min(due_, when + entry_.silent_after);
    return;
  }
  if (over_limit_++ > 0) return;
  log_.write(LogLevel::Warning, "watch.full",
             {{"filter", entry_.filter},
              {"topics", std::uint64_t{kTopicsMax}},
              {"then", "further topics are not watched: write narrower filters"}});
}

void SilenceWatch::Watched::add_to(SilenceStatus& status, Instant now) const {
  status.topics += heard_.size();
  status.over_limit += over_limit_;
  for (const auto& [topic, last] : heard_) {
    const Instant silent = last + entry_.silent_after;
    if (silent <= now) status.silent.push_back({.topic = topic, .last = last, .since = silent});
  }
}

void SilenceWatch::Watched::note_looked(Instant now) {
  due_ = kNever;
  for (const auto& [topic, last] : heard_) {
    const Instant silent = last + entry_.silent_after;
    if (silent > now) due_ = std::min(due_, std::max(silent, now + kApart));
  }
}

}  // namespace furrow::gateway
