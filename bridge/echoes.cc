#include "bridge/echoes.h"

#include <algorithm>

#include "bridge/content_hash.h"

namespace furrow::bridge {

void Echoes::note_sent(std::string_view topic, ByteView payload, Instant now) {
  forget_old(now);
  if (sent_.size() >= kSentMax) return;
  const std::uint64_t hash = content_hash(topic, payload);
  sent_.push_back({hash, now + kEchoTime});
  ++kinds_[hash].sent;
}

void Echoes::forget_old(Instant now) {
  while (!sent_.empty() && sent_.front().until <= now) {
    const auto kind = kinds_.find(sent_.front().hash);
    if (kind->second.taken > 0) --kind->second.taken;
    if (--kind->second.sent == 0) kinds_.erase(kind);
    sent_.pop_front();
  }
}

bool Echoes::is_echo(std::string_view topic, ByteView payload, Instant now) {
  if (sent_.empty()) return false;
  forget_old(now);
  const std::uint64_t hash = content_hash(topic, payload);
  const auto found = kinds_.find(hash);
  if (found == kinds_.end()) return false;
  Kind& kind = found->second;
  if (echoing_ && kind.taken < kind.sent) {
    ++kind.taken;
    return true;
  }
  count_return(hash, kind, topic, now);
  return false;
}

void Echoes::count_return(std::uint64_t hash, Kind& kind, std::string_view topic, Instant now) {
  if (now - kind.since > kReturnsTime) {
    kind.since = now;
    kind.returns = 0;
  }
  if (++kind.returns <= kReturnsMax || kind.sent <= kReturnsMax) return;
  kind.returns = 0;
  stop(hash, topic, now);
}

// A message that circled before, and begins again within an hour, is stopped for longer.
void Echoes::stop(std::uint64_t hash, std::string_view topic, Instant now) {
  std::erase_if(stopped_, [now](const auto& one) { return one.second.until + kStoppedMost <= now; });
  if (stopped_.size() >= kStoppedMax && !stopped_.contains(hash)) return;
  Circle& circle = stopped_[hash];
  if (circle.until > now) return;
  circle.topic = topic;
  circle.time = std::clamp(2 * circle.time, kStoppedFirst, kStoppedMost);
  circle.until = now + circle.time;
  news_ = {circle.topic, circle.time};
}

bool Echoes::is_stopped(const TopicMap::Mapping& topic, ByteView payload, Instant now) const {
  if (stopped_.empty()) return false;
  const auto found = stopped_.find(content_hash(topic.topic(), payload));
  return found != stopped_.end() && found->second.until > now;
}

std::string Echoes::reason(Instant now) const {
  for (const auto& [hash, circle] : stopped_) {
    if (circle.until > now) return "loop: " + circle.topic + " comes back from the far side each time that it is sent";
  }
  return {};
}

}  // namespace furrow::bridge
