#include "bridge/echoes.h"

#include <algorithm>
#include <functional>

namespace furrow::bridge {

std::uint64_t Echoes::hash_of(std::string_view topic, ByteView payload) {
  const std::hash<std::string_view> hash;
  return hash(topic) * 31 + hash(as_text(payload));
}

void Echoes::set_echoing(bool echoing) {
  echoing_ = echoing;
}

void Echoes::note_sent(std::string_view topic, ByteView payload, Instant now) {
  forget_old(now);
  if (sent_.size() >= kSentMax) return;
  const std::uint64_t hash = hash_of(topic, payload);
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
  const std::uint64_t hash = hash_of(topic, payload);
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
  if (const auto known = stopped_.find(hash); known != stopped_.end()) {
    if (known->second.until > now) return;
    known->second.time = std::min(2 * known->second.time, kStoppedMost);
    known->second.until = now + known->second.time;
  } else {
    std::erase_if(stopped_, [now](const auto& one) { return one.second.until + kStoppedMost <= now; });
    if (stopped_.size() >= kStoppedMax) return;
    stopped_[hash] = {std::string(topic), now + kStoppedFirst, kStoppedFirst};
  }
  news_ = {std::string(topic), stopped_[hash].time};
}

bool Echoes::is_stopped(const TopicMap::Mapping& topic, ByteView payload, Instant now) const {
  if (stopped_.empty()) return false;
  const auto found = stopped_.find(hash_of(topic.topic(), payload));
  return found != stopped_.end() && found->second.until > now;
}

std::string Echoes::reason(Instant now) const {
  for (const auto& [hash, circle] : stopped_) {
    if (circle.until > now) return "loop: " + circle.topic + " comes back from the far side each time that it is sent";
  }
  return {};
}

}  // namespace furrow::bridge
