// This gateway in a mesh of gateways, where a message may come by several ways: it gets an id where it comes in, and is
// taken once.
//
// Off as long as no destination joins it: then nothing is looked at. Ids of our own are put aside in the store before
// the first of them is given, many at a time, so that no message gets one that another has had, whatever ends the
// process. While the store takes nothing and those are used up, messages get none. Thread: loop.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "broker-core/base/random.h"
#include "broker-core/message_id.h"
#include "broker-core/session/heard_ids.h"
#include "broker-core/session/journal.h"
#include "broker-core/store.h"

namespace furrow::broker {

class Mesh final {
 public:
  // A restart leaves a gap of no more than this: little of the window of 2^20 that others have of us.
  static constexpr std::uint64_t kReserved = 1U << 14U;

  // Both references must outlive it.
  Mesh(Journal& journal, Random& random) : journal_(journal), random_(random) {}
  void restore(const Restored& restored);

  // What this gateway is called; empty: it has no ids to give, and takes no part.
  void set_gateway(std::string id);
  // Whether anybody here passes messages on to others of the mesh.
  void set_joined(bool joined);
  bool is_on() const { return is_on_; }

  // --- messages that come with an id ---
  HeardIds::Verdict judge(const MessageId& id) const;
  // The message was taken; the mark is for Journal::set_id(), or note_safe().
  HeardIds::Mark note_taken(const MessageId& id);
  void note_safe(HeardIds::Mark mark) { journal_.heard_ids().note_safe(mark); }
  std::size_t origins() const { return journal_.heard_ids().origins(); }

  // --- messages that come without ---
  // An id for one; its sequence is 0 while there is none that is safe to give. Borrows from this object.
  MessageId give();
  // The message was refused, and the id is for the next one. REQUIRES: it is the last that was given.
  void take_back(const MessageId& id);

 private:
  void review();
  void reserve();
  // Of this gateway, in this life of its store.
  bool is_own(const MessageId& id) const;

  Journal& journal_;
  Random& random_;
  std::string gateway_;
  bool joined_ = false;
  bool is_on_ = false;
  std::uint64_t next_ = 0;      // the sequence to be given next; 0: none was put aside ever
  std::uint64_t safe_end_ = 0;  // those below may be given
  std::uint64_t reserved_ = 0;  // likewise, once the batch is durable
  BatchNumber reserved_in_;
};

}  // namespace furrow::broker
