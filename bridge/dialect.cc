#include "bridge/dialect.h"

namespace furrow::bridge {

namespace {

constexpr unsigned kSilentClosesV5 = 2;
// Giving up the bridge bit lets our own messages come back: a link that breaks during the handshake must not do that.
constexpr unsigned kSilentClosesBridgeBit = 5;
constexpr unsigned kSilentClosesV3 = 1;
// A broker that has understood us before is more likely in trouble than replaced by an older one.
constexpr unsigned kSilentClosesUnderstood = 10;

}  // namespace

Dialect::Dialect(VersionChoice choice, bool wants_bridge_bit) {
  if (choice != VersionChoice::V3_1_1) steps_.push_back({mqtt::Version::V5, false});
  if (choice == VersionChoice::V5) return;
  if (wants_bridge_bit) steps_.push_back({mqtt::Version::V3_1_1, true});
  steps_.push_back({mqtt::Version::V3_1_1, false});
}

void Dialect::handle_understood() {
  understood_ = true;
  silent_closes_ = 0;
}

bool Dialect::handle_refused() {
  return advance();
}

bool Dialect::handle_closed_silently() {
  const unsigned patience = understood_                      ? kSilentClosesUnderstood
                            : version() == mqtt::Version::V5 ? kSilentClosesV5
                            : bridge_bit()                   ? kSilentClosesBridgeBit
                                                             : kSilentClosesV3;
  if (++silent_closes_ < patience) return false;
  return advance();
}

bool Dialect::advance() {
  understood_ = false;
  silent_closes_ = 0;
  const bool last = step_ + 1 == steps_.size();
  step_ = last ? 0 : step_ + 1;
  return !last;
}

}  // namespace furrow::bridge
