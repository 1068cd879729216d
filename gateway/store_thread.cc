#include "gateway/store_thread.h"

#include <algorithm>
#include <string>
#include <utility>

namespace furrow::gateway {

using broker::Batch;
using broker::Page;
using broker::ReadRequest;
using broker::StoreHealth;
using broker::StoreState;

namespace {

void show(const Error& error, StoreHealth& health) {
  health.state = store_state(error.code());
  health.reason = error.message();
}

}  // namespace

StoreThread::StoreThread(std::unique_ptr<SqliteStore> store, Options options)
    : options_(std::move(options)), store_(std::move(store)), health_(store_->health()), thread_([this] { run(); }) {}

// A caller that wants to know how it went calls stop() before.
StoreThread::~StoreThread() {
  (void)stop();
}

void StoreThread::submit(Batch batch) {
  {
    const Lock lock(mutex_);
    batches_.push_back(std::move(batch));
  }
  work_.notify_one();
}

void StoreThread::read(ReadRequest request) {
  {
    const Lock lock(mutex_);
    reads_.push_back({.request = request});
  }
  work_.notify_one();
}

StoreThread::Events StoreThread::take_events(Instant now) {
  const Lock lock(mutex_);
  Events events{.durable = durable_,
                .health = shown_health(),
                .pages = std::exchange(pages_, {}),
                .commit_started = commit_started_,
                .can_withdraw = can_withdraw()};
  const Duration running = commit_started_ ? now - *commit_started_ : Duration::zero();
  if (running > options_.slow_after && events.health.state == StoreState::Ok) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(running).count();
    events.health.state = StoreState::Slow;
    events.health.reason = "a commit has been running for " + std::to_string(seconds) + " s";
  }
  return events;
}

Histogram StoreThread::commit_times() {
  const Lock lock(mutex_);
  return commit_times_;
}

StoreHealth StoreThread::shown_health() const {
  StoreHealth shown = health_;
  const Read* const failing = failing_read();
  if (failing != nullptr && shown.state == StoreState::Ok) show(*failing->failure, shown);
  return shown;
}

const StoreThread::Read* StoreThread::failing_read() const {
  const auto found = std::ranges::find_if(reads_, [](const Read& read) { return read.failure.has_value(); });
  return found == reads_.end() ? nullptr : &*found;
}

// Not while it is being tried again, and not once the thread only finishes what there is.
bool StoreThread::can_withdraw() const {
  return failure_ && untouched_ && !commit_started_ && !stopping_ && !batches_.front().segments.empty();
}

std::optional<Batch> StoreThread::withdraw() {
  const Lock lock(mutex_);
  if (!can_withdraw()) return std::nullopt;
  Batch batch = std::move(batches_.front());
  batches_.pop_front();
  failure_.reset();
  retry_at_ = Instant::min();
  return batch;
}

Status StoreThread::stop() {
  {
    const Lock lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  if (thread_.joinable()) thread_.join();
  if (failure_) return *failure_;
  return {};
}

// Reads and commits take turns, so that neither starves the other.
void StoreThread::run() {
  Lock lock(mutex_);
  while (true) {
    const bool served = serve_read(lock);
    const bool executed = execute_batch(lock);
    if (served || executed) continue;
    if (stopping_) return;
    if (!tidy(lock)) wait(lock);
  }
}

bool StoreThread::serve_read(Lock& lock) {
  if (stopping_) return false;
  const auto due = std::ranges::find_if(reads_, [this](const Read& read) { return !is_backing_off(read.not_before); });
  if (due == reads_.end()) return false;
  const auto place = due - reads_.begin();  // others are put behind it meanwhile
  const ReadRequest request = due->request;
  lock.unlock();
  Result<Page> page = store_->read(request);
  lock.lock();
  const auto read = reads_.begin() + place;
  if (!page) {
    read->failure = page.error();
    read->not_before = options_.now() + options_.retry_interval;
  } else {
    reads_.erase(read);
    pages_.push_back(*std::move(page));
  }
  lock.unlock();
  options_.wake();
  lock.lock();
  return true;
}

bool StoreThread::execute_batch(Lock& lock) {
  if (batches_.empty() || gave_up_ || is_backing_off(retry_at_)) return false;
  const Batch& batch = batches_.front();  // stays in its place while others are put behind it
  commit_started_ = options_.now();
  lock.unlock();
  const Status status = store_->commit(batch);
  StoreHealth health = store_->health();
  const bool untouched = store_->is_untouched();
  lock.lock();
  commit_times_.add(options_.now() - *std::exchange(commit_started_, std::nullopt));
  health_ = std::move(health);
  failure_.reset();
  compacted_ = false;
  unproven_ = !status;
  if (status) {
    durable_ = batch.number;
    batches_.pop_front();
  } else {
    failure_ = status.error();
    untouched_ = untouched;
    show(status.error(), health_);
    retry_at_ = options_.now() + options_.retry_interval;
    gave_up_ = stopping_;
  }
  lock.unlock();
  options_.wake();
  lock.lock();
  return true;
}

// A failure needs no report: the store is tidied later, and the next commit shows what is wrong.
bool StoreThread::tidy(Lock& lock) {
  if (shown_health().state != StoreState::Ok) return false;
  lock.unlock();
  const Result<bool> more = store_->tidy();
  lock.lock();
  // Work that arrived while the lock was released notified nobody: look again.
  return (more && *more) || !batches_.empty() || !reads_.empty() || stopping_;
}

void StoreThread::wait(Lock& lock) {
  if (shown_health().state == StoreState::Ok) {
    if (compacted_) {
      work_.wait(lock);
    } else if (work_.wait_for(lock, options_.compact_after) == std::cv_status::timeout) {
      compact(lock);
    }
    return;
  }
  Instant until = options_.now() + options_.retry_interval;
  if (!batches_.empty()) until = std::min(until, retry_at_);
  for (const Read& read : reads_) until = std::min(until, read.not_before);
  const Duration pause = std::max(until - options_.now(), Duration::zero());
  const bool nothing_came = work_.wait_for(lock, pause) == std::cv_status::timeout;
  // While a batch or a read fails, health_ is about that.
  if (nothing_came && !failure_ && failing_read() == nullptr) refresh_health(lock);
}

// A file that could not be made smaller is as good as before, and the next commit shows what is wrong with it.
void StoreThread::compact(Lock& lock) {
  compacted_ = true;
  lock.unlock();
  (void)store_->compact();
  StoreHealth health = store_->health();
  lock.lock();
  health_ = std::move(health);
}

// With the failed batch withdrawn, nothing writes while the state says that writing fails: the medium is probed, or the
// failure would be reported for ever.
void StoreThread::refresh_health(Lock& lock) {
  const bool probe = unproven_;
  lock.unlock();
  store_->measure_room();
  const Status proof = probe ? store_->probe() : Status();
  StoreHealth health = store_->health();
  lock.lock();
  unproven_ = unproven_ && !proof;
  if (unproven_ || health.state == health_.state) return;
  health_ = std::move(health);
  lock.unlock();
  options_.wake();
  lock.lock();
}

}  // namespace furrow::gateway
