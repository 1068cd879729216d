#include "gateway/status/sources.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include "gateway/process.h"
#include "gateway/text_file.h"

namespace furrow::gateway {
namespace {

// The resident set: the second number of statm (proc(5)), in pages.
std::optional<std::uint64_t> resident_bytes() {
  const auto line = read_first_line("/proc/self/statm");
  if (!line) return std::nullopt;
  const std::size_t space = line->find(' ');
  if (space == std::string::npos) return std::nullopt;
  std::uint64_t pages = 0;
  const auto read = std::from_chars(line->data() + space + 1, line->data() + line->size(), pages);
  if (read.ec != std::errc{}) return std::nullopt;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

StatusSources::StatusSources(GatewayFacts facts, std::vector<ListenerStatus> listeners, const LinkStats& links,
                             const broker::Broker& broker, const StoreWatch& store, const Clock& clock)
    : facts_(std::move(facts)),
      links_(links),
      broker_(broker),
      store_(store),
      clock_(clock),
      listeners_(std::move(listeners)),
      clock_trusted_(clock.trusted()),
      load_at_(facts_.started) {}

void StatusSources::set_listeners(std::vector<ListenerStatus> listeners) {
  listeners_ = std::move(listeners);
  ++listener_changes_;
}

void StatusSources::add(const bridge::Buffer& buffer, const bridge::Bridge* bridge) {
  bridges_.push_back({&buffer, bridge});
  ++bridge_changes_;
}

void StatusSources::remove(const bridge::Buffer& buffer) {
  std::erase_if(bridges_, [&](const Bridge& one) { return one.buffer == &buffer; });
  ++bridge_changes_;
}

void StatusSources::note_machine(std::uint64_t heap_bytes, bool clock_trusted) {
  heap_bytes_maximum_ = std::max(heap_bytes_maximum_, heap_bytes);
  if (std::exchange(clock_trusted_, clock_trusted) != clock_trusted) ++clock_changes_;
}

void StatusSources::note_load(const StatusModel& picture) {
  load_ = picture.load;
  load_at_ = picture.moment.now;
}

StatusMoment StatusSources::moment(std::uint64_t seq, Instant now) const {
  return {.seq = seq, .now = now, .wall = clock_.wall_at(now)};
}

StatusModel StatusSources::take(const StatusMoment& moment) const {
  StatusModel model;
  model.moment = moment;
  model.gateway = facts_;
  model.listeners = listeners_;
  if (certificates_) model.certificates = certificates_();
  model.links = links_;
  model.stats = broker_.stats();
  model.clients = {.connected = broker_.clients(),
                   .sessions = broker_.sessions(),
                   .subscriptions = broker_.subscription_counts(),
                   .wills_waiting = broker_.wills().waiting(),
                   .contested = broker_.contested_ids().contested(moment.now)};
  const broker::RetainedStore& retained = broker_.retained();
  model.retained = {.messages = retained.messages(),
                    .bytes = retained.bytes(),
                    .own_messages = retained.own_messages(),
                    .own_bytes = retained.own_bytes()};
  model.memory = memory_status();
  model.clock = {.trusted = clock_.trusted(), .expired_by_correction = broker_.journal().expired_by_correction()};
  if (timing_) model.timing = timing_(moment.now);
  model.sessions = broker_.session_books();
  for (const Bridge& one : bridges_) model.bridges.push_back(take(one));
  model.store = store_status(model.bridges);
  model.load = load_;
  model.load.move(model, moment.now - load_at_);
  if (silence_) model.silence = silence_(moment.now);
  if (alarms_) model.alarms = alarms_();
  return model;
}

BridgeStatus StatusSources::take(const Bridge& bridge) const {
  BridgeStatus status{.name = bridge.buffer->name(), .snapshot = {}};
  if (bridge.bridge != nullptr) {
    status.snapshot = bridge.bridge->snapshot();
    return status;
  }
  bridge::Snapshot& snapshot = status.snapshot;
  bridge.buffer->describe(snapshot);
  snapshot.state = bridge::State::Disabled;
  snapshot.reason = "not in configuration, " + std::to_string(snapshot.backlog_messages) + " waiting";
  snapshot.since = facts_.started;
  return status;
}

MemoryStatus StatusSources::memory_status() const {
  const std::uint64_t heap = allocated_bytes();
  return {.resident_bytes = resident_bytes(),
          .heap_bytes = heap,
          .heap_bytes_maximum = std::max(heap_bytes_maximum_, heap),
          .limit_bytes = broker_.limits().memory_bytes};
}

StoreStatus StatusSources::store_status(const std::vector<BridgeStatus>& bridges) const {
  const broker::Books& sessions = broker_.session_books();
  StoreStatus status{.health = store_.health(),
                     .since = store_.since(),
                     .messages = sessions.accepted - sessions.ended(),
                     .bytes = broker_.session_queue_bytes()};
  for (const BridgeStatus& one : bridges) {
    status.messages += one.snapshot.backlog_messages + one.snapshot.inflight;
    status.bytes += one.snapshot.backlog_bytes;
  }
  return status;
}

}  // namespace furrow::gateway
