// The simulator's store: a medium with time. Batches become durable after a drawn time, one after the other; reads are
// answered after another; for a while nothing may become durable at all. What passes may be mutated on its way.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "broker-core/base/random.h"
#include "broker-core/session/hole.h"
#include "broker-core/store.h"
#include "tests/sim/medium.h"
#include "tests/sim/mutation.h"

namespace furrow::sim {

class Disk final : public broker::Store {
 public:
  Disk(std::unique_ptr<Medium> medium, Duration commit_time_max, Mutator& mutator, Random& random)
      : medium_(std::move(medium)), commit_time_max_(commit_time_max), mutator_(mutator), random_(random) {}

  void set_now(Instant now) { now_ = now; }

  void submit(broker::Batch batch) override {
    if (mutator_.acknowledges_early()) early_ = batch.number;
    mutator_.change(batch);
    miscounted_ = miscounted_ || !std::ranges::all_of(batch.cursors, counts_what_it_leaves_open);
    commits_.push_back({now_ + drawn(), std::move(batch)});
  }
  void read(broker::ReadRequest request) override { reads_.push_back({now_ + drawn(), request}); }

  // One of these.
  struct Event {
    std::optional<BatchNumber> durable;
    std::optional<broker::Page> page;
    std::optional<broker::Batch> given_back;  // and from now on it is refusing()
    bool recovered = false;                   // no longer refusing()
  };
  // `stamp` is the gateway's clock, for pages that are mutated.
  bool poll(Instant now, const ClockStamp& stamp, Event& event) {
    event = {};
    if (early_) {
      event.durable = std::exchange(early_, std::nullopt);
      return true;
    }
    recover();
    if (!failing() && std::exchange(refusing_, false)) {
      event.recovered = true;
      return true;
    }
    if (commit_due() <= now && commit(event)) return true;
    if (rest_at_ <= now && commits_.empty() && !failing()) {
      rest_at_ = kNever;
      medium_->rest();
    }
    if (reads_.empty() || reads_.front().due > now) return false;
    const broker::ReadRequest request = reads_.front().request;
    reads_.pop_front();
    event.page = medium_->read(request);
    if (!event.page) return false;
    mutator_.change(*event.page, stamp);
    mutator_.note(*event.page);
    return true;
  }
  Instant next_deadline() const {
    if (early_) return now_;
    if (refusing_ && !failing()) return now_;
    return reads_.empty() ? commit_due() : std::min(commit_due(), reads_.front().due);
  }

  // Nothing becomes durable for `time`.
  void stall(Duration time) { stalled_until_ = now_ + time; }
  // The medium is full for `time`: commits fail, and are tried again.
  void fill(Duration time) {
    medium_->fill(true);
    full_until_ = now_ + time;
  }
  // No sync succeeds for `time`: commits fail, and starts do.
  void fail_syncs(Duration time) {
    medium_->fail_syncs(true);
    syncs_fail_until_ = now_ + time;
  }
  void heal() {
    stalled_until_ = full_until_ = syncs_fail_until_ = Instant::min();
    recover();
  }
  // Whether the medium takes no messages.
  bool refusing() const { return refusing_; }
  // Whether a cursor has left open other messages than it counts: then it speaks of one that is not stored, or has
  // forgotten one that is.
  bool miscounted() const { return miscounted_; }
  std::uint64_t power_cuts() const { return medium_->power_cuts(); }
  Medium::Files files() const { return medium_->files(); }
  // REQUIRES: it is closed.
  Medium::Kept kept() { return medium_->kept(); }

  void crash(bool power) {
    medium_->crash(commits_.empty() ? nullptr : &commits_.front().batch, power);
    forget();
  }
  // REQUIRES: everything is durable.
  void close() {
    medium_->close();
    forget();
  }
  // What a gateway finds at start; nothing when the medium fails.
  std::optional<broker::Restored> open() {
    recover();
    std::optional<broker::Restored> restored = medium_->open();
    if (restored) mutator_.change(*restored);
    return restored;
  }

 private:
  struct Commit {
    Instant due;
    broker::Batch batch;
  };
  struct Read {
    Instant due;
    broker::ReadRequest request;
  };

  static bool counts_what_it_leaves_open(const broker::CursorRow& row) {
    std::uint64_t open = row.next.value - 1 - row.settled.value;
    for (const broker::Hole& hole : broker::decode_holes(row.settled, row.holes)) {
      open -= hole.end.value - hole.first.value;
    }
    return open == row.messages;
  }
  bool failing() const { return now_ < std::max(full_until_, syncs_fail_until_); }
  // Ends the faults whose time is over.
  void recover() {
    if (full_until_ <= now_) medium_->fill(false);
    if (syncs_fail_until_ <= now_) medium_->fail_syncs(false);
  }
  Instant commit_due() const { return commits_.empty() ? kNever : std::max(commits_.front().due, stalled_until_); }
  // False when there is nothing to say: it failed and is tried again, or was called durable before.
  bool commit(Event& event) {
    broker::Batch& batch = commits_.front().batch;
    if (medium_->commit(batch)) {
      durable_ = batch.number;
      rest_at_ = now_ + kRestAfter;
      commits_.pop_front();
      event.durable = mutator_.changed(durable_);
      return !mutator_.acknowledges_early();
    }
    commits_.front().due = now_ + kRetryInterval;
    // As StoreThread::withdraw(); what a mutation has changed the core would not know again.
    const bool may = failing() && mutator_.may_give_back() && !batch.segments.empty();
    if (!may || !medium_->withdraw(batch)) return false;
    event.given_back = std::move(batch);
    commits_.pop_front();
    refusing_ = true;
    return true;
  }
  void forget() {
    commits_.clear();
    reads_.clear();
    early_.reset();
    refusing_ = false;
    rest_at_ = kNever;
    durable_ = {};
    mutator_.crash();
  }
  Duration drawn() {
    return Duration(static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(commit_time_max_.count()) + 1)));
  }

  static constexpr Duration kRetryInterval = std::chrono::seconds(1);
  static constexpr Duration kRestAfter = std::chrono::seconds(30);  // as StoreThread

  const std::unique_ptr<Medium> medium_;
  const Duration commit_time_max_;
  Mutator& mutator_;
  Random& random_;
  Instant now_{};
  Instant stalled_until_ = Instant::min();
  Instant full_until_ = Instant::min();
  Instant syncs_fail_until_ = Instant::min();
  std::deque<Commit> commits_;
  std::deque<Read> reads_;
  bool miscounted_ = false;
  BatchNumber durable_;
  std::optional<BatchNumber> early_;  // called durable before it is
  Instant rest_at_ = kNever;          // nothing was committed since a while before
  bool refusing_ = false;             // a batch was given back, and the medium still fails
};

}  // namespace furrow::sim
