// A journal on a store in memory, a clock that the test moves, and the words to tell stories about them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker-core/session/journal.h"
#include "broker-core/session/outbox.h"
#include "tests/support/memory_store.h"

namespace furrow::broker {

inline constexpr DeliveryOptions kAtLeastOnce{.qos = mqtt::Qos::AtLeastOnce, .retain = false, .subscription_ids = {}};
inline constexpr DeliveryOptions kExactlyOnce{.qos = mqtt::Qos::ExactlyOnce, .retain = false, .subscription_ids = {}};

// Remembers which publishers were answered, by the packet identifiers that the test gave them.
class AckLog final : public AckSink {
 public:
  void write_acknowledgement(mqtt::PacketType /*type*/, PacketId packet_id, mqtt::ReasonCode /*reason*/) override {
    ids.push_back(packet_id.value);
  }
  bool contains(std::uint16_t id) const { return std::ranges::find(ids, id) != ids.end(); }

  // A publisher of its own for each: what is tested is not the order between them.
  AckTicket ticket(std::uint16_t id) {
    Ref<AckQueue> queue = AckQueue::make(*this);
    const std::uint64_t number = queue->open(mqtt::PacketType::Puback, PacketId{id});
    return {queue, number};
  }

  std::vector<std::uint16_t> ids;
};

class JournalWorld {
 public:
  explicit JournalWorld(Journal::Options options = {}) : options_(options) { start(); }

  Journal& journal() { return *journal_; }
  test::MemoryStore& store() { return store_; }
  AckLog& acks() { return acks_; }
  Instant now() const { return now_; }

  // --- messages ---
  MessageRef message(std::string_view payload, std::optional<std::uint32_t> expiry_s = std::nullopt) const {
    return Message::make({.topic = "farm/moisture",
                          .payload = as_bytes(payload),
                          .properties = {},
                          .expiry_s = expiry_s,
                          .received = now_,
                          .qos = mqtt::Qos::AtLeastOnce});
  }
  struct To {
    Outbox& outbox;
    Duration wait{};  // 0: it is away
  };
  void publish(std::uint16_t id, const MessageRef& message, const std::vector<To>& destinations,
               const DeliveryOptions& options = kAtLeastOnce, const ExchangeRow* exchange = nullptr) {
    Commitment* commitment = nullptr;
    for (const To& to : destinations) {
      to.outbox.push(message, options, to.wait, now_, [&]() -> Commitment& {
        if (commitment == nullptr) commitment = &journal_->open(message);
        return *commitment;
      });
    }
    if (exchange != nullptr) journal_->add_exchange(*commitment, *exchange, now_);
    if (commitment != nullptr) journal_->seal(*commitment, acks_.ticket(id), mqtt::ReasonCode::Success);
  }
  void publish(std::uint16_t id, const std::vector<To>& destinations, const DeliveryOptions& options = kAtLeastOnce) {
    publish(id, message("reading " + std::to_string(id)), destinations, options);
  }
  // A retained message that its publisher waits for: not the first of its topic.
  void retain(std::uint16_t id, std::string_view topic, std::string_view payload,
              const std::vector<To>& destinations = {}, bool first_of_topic = false) {
    const MessageRef message = Message::make({.topic = topic,
                                              .payload = as_bytes(payload),
                                              .properties = {},
                                              .expiry_s = std::nullopt,
                                              .received = now_,
                                              .qos = mqtt::Qos::AtLeastOnce,
                                              .retain = true});
    Commitment& commitment = journal_->open(message);
    journal_->retained_changed(topic, message, now_);
    journal_->add_retained(commitment, first_of_topic, now_);
    for (const To& to : destinations) {
      to.outbox.push(message, kAtLeastOnce, to.wait, now_, [&]() -> Commitment& { return commitment; });
    }
    journal_->seal(commitment, acks_.ticket(id), mqtt::ReasonCode::Success);
  }
  void spend_the_budget_of_retained_values() {
    for (int i = 0; i < RetainedPace::kCommitsMax; ++i) {
      retain(0, "farm/spendthrift", std::to_string(i));
      turn();
      persist();
    }
    acks_.ids.clear();
  }

  // --- time and the store ---
  void pass(Duration time) { now_ += time; }
  // The end of a loop turn.
  void turn() { journal_->flush_if_due(now_); }
  void turn_after(Duration time) {
    pass(time);
    turn();
  }
  const Batch& submitted() const { return store_.submitted().front(); }
  bool writer_idle() const { return store_.submitted().empty(); }
  void persist() { journal_->handle_persisted(store_.complete_one(), now_); }
  // The store could not write the batch, and does not keep it.
  void refuse() { journal_->handle_not_persisted(store_.fail_one(), now_); }
  bool answer_read() {
    const std::optional<Page> page = store_.answer_read();
    if (page) journal_->handle_page(*page, now_);
    return page.has_value();
  }
  // Until nothing waits; every batch that is due gets written and every page that is asked for gets read.
  void settle_down() {
    journal_->flush_all(now_);
    do {
      while (!writer_idle()) {
        persist();
        turn();
      }
    } while (answer_read());
  }
  // Outboxes must be gone by then. What the store has not committed is lost.
  Restored restart(int commits = 0) {
    journal_.reset();
    store_.crash(commits);
    start();
    return store_.restored();
  }
  // As restart() after everything is durable, with the machine switched off for `off`. What time it is then, it does
  // not know before trust_clock().
  Restored power_off(Duration off) {
    settle_down();
    const WallTime wall = stamp(now_).wall + off;
    ++boot_;
    now_ = Instant(std::chrono::minutes(1));
    wall_at_boot_ = wall - std::chrono::minutes(1);
    trusted_ = false;
    return restart();
  }
  void trust_clock() {
    trusted_ = true;
    journal_->correct_ages(now_);
  }
  static CursorRow cursor_of(const Restored& restored, QueueId queue) {
    for (const RestoredQueue& found : restored.queues) {
      if (found.row.id == queue) return found.cursor;
    }
    return {};
  }

 private:
  void start() {
    journal_.emplace(
        options_, store_, [this](Instant now) { return stamp(now); }, store_.restored().last_segment);
  }
  ClockStamp stamp(Instant now) const {
    return {.boot = boot_, .monotonic = now, .wall = wall_at_boot_ + now.time_since_epoch(), .trusted = trusted_};
  }

  const Journal::Options options_;
  test::MemoryStore store_;
  AckLog acks_;
  std::optional<Journal> journal_;
  Instant now_{std::chrono::hours(1)};
  std::uint64_t boot_ = 1;
  WallTime wall_at_boot_{};
  bool trusted_ = true;
};

// A durable outbox with books of its own, as a bridge has it.
struct BridgeQueue {
  explicit BridgeQueue(JournalWorld& world, OutboxLimits limits = {}, QueueId queue = QueueId{1},
                       OutboxOwner* owner = nullptr)
      : outbox({limits, queue, owner, true}, world.journal(), books) {
    world.journal().put_lazy(QueueRow{queue, QueueKind::Bridge, "region-" + std::to_string(queue.value)}, world.now());
  }
  BridgeQueue(JournalWorld& world, const Restored& restored, OutboxLimits limits = {}, QueueId queue = QueueId{1},
              OutboxOwner* owner = nullptr)
      : outbox({limits, queue, owner, true}, JournalWorld::cursor_of(restored, queue), world.journal(), books) {}

  bool balanced() const { return books.accepted == books.ended() + outbox.messages(); }

  // Sends the next message, as far as it is in memory, and returns its payload; empty when there is none.
  std::string send(Instant now) {
    const Outbox::Entry* const entry = outbox.next_waiting(now);
    if (entry == nullptr) return {};
    std::string payload(as_text(entry->message->payload()));
    sent.push_back(entry->sequence);
    outbox.take();
    return payload;
  }
  // The receiver acknowledges what was sent, in whatever order.
  void deliver(Instant now, std::size_t index = 0) {
    outbox.settle(sent[index], Outbox::Outcome::Delivered, now);
    sent.erase(sent.begin() + static_cast<std::ptrdiff_t>(index));
  }
  // All that was sent waits again.
  void give_back() {
    for (const Sequence sequence : std::exchange(sent, {})) outbox.give_back(sequence);
  }
  // Sends and settles everything; pages are read as they are needed.
  std::vector<std::string> drain(JournalWorld& world) {
    std::vector<std::string> payloads;
    do {
      for (std::string payload = send(world.now()); !payload.empty(); payload = send(world.now())) {
        payloads.push_back(std::move(payload));
        deliver(world.now(), sent.size() - 1);
      }
    } while (world.answer_read());
    return payloads;
  }

  Books books;
  Outbox outbox;
  std::vector<Sequence> sent;
};

inline constexpr Duration kOnline = std::chrono::milliseconds(200);  // how long one that acknowledges is given
inline constexpr Duration kAway{};

class JournalTest : public testing::Test {
 protected:
  // The queue's row is stored before the stories begin.
  void SetUp() override {
    world.settle_down();
    ASSERT_TRUE(world.journal().idle());
  }

  JournalWorld world;
  BridgeQueue cloud{world};
  BridgeQueue backup{world, {}, QueueId{2}};
};

}  // namespace furrow::broker
