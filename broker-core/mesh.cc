#include "broker-core/mesh.h"

#include "broker-core/base/check.h"

namespace furrow::broker {

void Mesh::restore(const Restored& restored) {
  journal_.heard_ids().restore(restored.heard);
  next_ = restored.own_ids.first;
  safe_end_ = reserved_ = restored.own_ids.end;
}

void Mesh::set_gateway(std::string id) {
  gateway_ = std::move(id);
  review();
}

void Mesh::set_joined(bool joined) {
  joined_ = joined;
  review();
}

// The first ids are put aside at once, so that messages find some.
void Mesh::review() {
  is_on_ = joined_ && is_gateway_id(gateway_);
  if (is_on_ && reserved_ <= next_) reserve();
}

void Mesh::reserve() {
  if (next_ == 0) {
    // A life of which others have not heard, in all likelihood.
    constexpr std::uint64_t kLives = std::uint64_t{1} << (63U - kIdLifeShift);
    next_ = ((1 + random_.below(kLives - 1)) << kIdLifeShift) + 1;
  }
  reserved_ = next_ + kReserved;
  reserved_in_ = journal_.reserve_ids(reserved_);
}

bool Mesh::is_own(const MessageId& id) const {
  return next_ != 0 && life_of(id.sequence) == life_of(next_) && id.origin == gateway_;
}

HeardIds::Verdict Mesh::judge(const MessageId& id) const {
  if (!is_own(id)) return journal_.heard_ids().judge(id);
  return id.sequence < next_ ? HeardIds::Verdict::Had : HeardIds::Verdict::New;
}

HeardIds::Mark Mesh::note_taken(const MessageId& id) {
  return is_own(id) ? HeardIds::Mark{} : journal_.heard_ids().note_taken(id);
}

MessageId Mesh::give() {
  if (safe_end_ < reserved_ && journal_.is_durable(reserved_in_)) safe_end_ = reserved_;
  if (safe_end_ == reserved_ && next_ + kReserved / 2 > reserved_) reserve();
  return {.origin = gateway_, .sequence = next_ < safe_end_ ? next_++ : 0};
}

void Mesh::take_back(const MessageId& id) {
  FURROW_CHECK(id.sequence + 1 == next_);
  next_ = id.sequence;
}

}  // namespace furrow::broker
