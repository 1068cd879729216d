#include "broker-core/session/books.h"

#include <numeric>

#include "broker-core/base/varint.h"

namespace furrow::broker {

std::string_view name(DropReason reason) {
  static constexpr std::array<std::string_view, kDropReasonCount> kNames = {
      "queue_full",   "age",          "replaced",       "qos0_offline",  "refused_qos0",
      "too_large",    "loop",         "hop_limit",      "purged",        "rule_removed",
      "store_failed", "salvage_lost", "refused_remote", "session_ended", "not_authorized",
      "thinned"};
  return kNames[static_cast<std::size_t>(reason)];
}

Books& Books::operator+=(const Books& more) {
  accepted += more.accepted;
  delivered += more.delivered;
  expired += more.expired;
  quarantined += more.quarantined;
  for (std::size_t i = 0; i < dropped.size(); ++i) dropped[i] += more.dropped[i];
  waiting_bytes += more.waiting_bytes;
  not_grown += more.not_grown;
  return *this;
}

std::uint64_t Books::ended() const {
  return std::accumulate(dropped.begin(), dropped.end(), delivered + expired + quarantined);
}

Bytes encode(const Books& books) {
  ByteBuffer out;
  put_varint(out, books.delivered);
  put_varint(out, books.expired);
  put_varint(out, books.quarantined);
  for (const std::uint64_t count : books.dropped) put_varint(out, count);
  return {out.view().begin(), out.view().end()};
}

Books decode_books(ByteView bytes, std::uint64_t waiting) {
  Books books;
  take_varint(bytes, books.delivered);
  take_varint(bytes, books.expired);
  take_varint(bytes, books.quarantined);
  for (std::uint64_t& count : books.dropped) take_varint(bytes, count);
  books.accepted = books.ended() + waiting;
  return books;
}

}  // namespace furrow::broker
