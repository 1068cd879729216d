// Deliberate bugs, to show that the checkers see what they are there for.
//
// Each is what a wrong line in the core would do, done from outside: between the core and its store, its clock, or its
// peer. So the code under test is the code that ships, and nothing of this is in it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "broker-core/base/time.h"
#include "broker-core/mqtt/reason_code.h"
#include "broker-core/store.h"

namespace furrow::sim {

enum class Mutation : std::uint8_t {
  None,
  AckBeforeCommit,
  DeleteBeforeSend,
  CursorBeforeSegment,
  PacketIdNotStored,
  PubrelBeforePubrecStored,
  WindowOffByOne,
  WatermarkOneTooHigh,
  DropNotCounted,
  ExpiryByWallClock,
  OrderLostOnReload,
  RetainedNotCommitted,
  DedupeForgotten,
  DeletionNotCommitted,
  WillNotStored,
  WillAfterDisconnect,
  WillDespiteReturn,
  Qos0Lost,
  Qos0Repeated,
  QueueRemovalNotCommitted,
  ReadingNotPaused,
  LeaseNotStored,
  HolesNotStored,
  PassingWillNotStored,
  WillLostAtStop,
  WillDespiteRestart,
  IdentifiersErasedLazily,
  ReplayForgotten,
  CursorBeyondStored,
  NewestLost,
  NumbersNotStored,
  LaneNotStored,
  QuarantineNotStored,
  WantsNotStored,
  HeardNotStored,
};
inline constexpr std::size_t kMutations = 35;  // with None
// `ack-before-commit`.
std::string_view name(Mutation mutation);
std::optional<Mutation> mutation_from(std::string_view name);

// Changes, as the mutation wants it, what passes between one gateway and its store, its clock or a peer.
class Mutator {
 public:
  explicit Mutator(Mutation mutation) : mutation_(mutation) {}

  bool mutates() const { return mutation_ != Mutation::None; }
  // Whether a batch is called durable as soon as it is submitted.
  bool acknowledges_early() const { return mutation_ == Mutation::AckBeforeCommit; }
  // Whether a batch that was not written may be given back: what the mutation has changed in it, the core derives anew.
  bool may_give_back() const { return !mutates() || mutation_ == Mutation::CursorBeyondStored; }
  // Whether connections are read from that are not to be.
  bool reads_on() const { return mutation_ == Mutation::ReadingNotPaused; }
  void change(broker::Batch& batch);
  void change(broker::Page& page, const ClockStamp& now) const;
  void note(const broker::Page& page);
  BatchNumber changed(BatchNumber durable) const;
  void change(broker::Restored& restored) const;
  void change(ClockStamp& stamp);
  std::uint16_t changed_receive_maximum(std::uint16_t maximum) const;
  // The will delay of a client's CONNECT, and the reason of its DISCONNECT.
  std::uint32_t changed_will_delay(std::uint32_t delay_s) const;
  mqtt::ReasonCode changed_goodbye() const;
  // How many times a message of QoS 0 comes from a client.
  unsigned copies_of_qos0();
  // Whether the region loses the newest message of a topic, where others may be left out.
  bool loses_newest() const { return mutation_ == Mutation::NewestLost; }
  // The gateway begins to stop in order.
  void stop() { stopping_ = true; }
  // The gateway and what was under way to its store are gone.
  void crash();

 private:
  void hold_erasures(broker::Batch& batch);
  void reach_beyond_stored(broker::Batch& batch);

  const Mutation mutation_;
  bool stopping_ = false;
  std::vector<broker::SegmentRow> held_segments_;
  std::vector<broker::ExchangeRow> held_exchanges_;
  std::map<QueueId, Sequence> handed_out_;  // the last message that a page had of a queue
  std::map<QueueId, Sequence> leased_;      // the last message of a queue that an exchange was stored for
  std::uint64_t batches_ = 0;
  std::uint64_t boots_ = 0;
  std::uint64_t qos0_messages_ = 0;
};

}  // namespace furrow::sim
