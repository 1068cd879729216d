#include "bridge/dialect.h"

#include <algorithm>
#include <utility>

namespace furrow::bridge {

namespace {

constexpr unsigned kNoAnswersV5 = 2;
// Giving up the bridge bit lets our own messages come back: a link that breaks during the handshake must not do that.
constexpr unsigned kNoAnswersBridgeBit = 5;
constexpr unsigned kNoAnswersV3 = 1;
// A broker that has understood us before is more likely in trouble than replaced by an older one.
constexpr unsigned kNoAnswersUnderstood = 10;
// Asking for a better dialect in vain costs one connection, and ten seconds where the broker says nothing.
constexpr Duration kBetterTriedAfter = std::chrono::hours(6);

}  // namespace

Dialect::Dialect(VersionChoice choice, bool wants_bridge_bit) : wants_bridge_bit_(wants_bridge_bit) {
  if (choice != VersionChoice::V3_1_1) steps_.push_back({mqtt::Version::V5, false});
  if (choice == VersionChoice::V5) return;
  if (wants_bridge_bit) steps_.push_back({mqtt::Version::V3_1_1, true});
  steps_.push_back({mqtt::Version::V3_1_1, false});
}

void Dialect::restore(bool lacks_bridge_bit, Instant now) {
  const bool bridge_bit = wants_bridge_bit_ && !lacks_bridge_bit;
  const auto found = std::ranges::find_if(
      steps_, [&](const Step& step) { return step.version == mqtt::Version::V3_1_1 && step.bridge_bit == bridge_bit; });
  if (found == steps_.end()) return;
  step_ = static_cast<std::size_t>(found - steps_.begin());
  handle_understood(now);
}

void Dialect::handle_dial(Instant now) {
  if (now < better_due_) return;
  better_due_ = now + kBetterTriedAfter;
  proven_ = std::exchange(step_, 0);
  no_answers_ = 0;
}

void Dialect::handle_understood(Instant now) {
  const bool is_new = !std::exchange(understood_, true);
  no_answers_ = 0;
  proven_ = 0;
  if (!is_fallback()) {
    better_due_ = kNever;
  } else if (is_new) {
    better_due_ = now + kBetterTriedAfter;
  }
}

bool Dialect::handle_refused() {
  return advance();
}

unsigned Dialect::patience() const {
  if (proven_ > 0) return 1;
  if (understood_) return kNoAnswersUnderstood;
  if (version() == mqtt::Version::V5) return kNoAnswersV5;
  return bridge_bit() ? kNoAnswersBridgeBit : kNoAnswersV3;
}

Dialect::Verdict Dialect::handle_no_answer(unsigned weight) {
  no_answers_ += weight;
  if (no_answers_ >= patience()) return advance() ? Verdict::NextAtOnce : Verdict::Unrelated;
  return understood_ || steps_.size() == 1 ? Verdict::Unrelated : Verdict::AskAgain;
}

bool Dialect::advance() {
  no_answers_ = 0;
  const bool last = step_ + 1 == steps_.size();
  step_ = last ? 0 : step_ + 1;
  if (proven_ > 0 && step_ == proven_) {
    proven_ = 0;
    return true;
  }
  if (proven_ == 0) understood_ = false;
  return !last;
}

}  // namespace furrow::bridge
