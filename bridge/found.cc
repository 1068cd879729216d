#include "bridge/found.h"

#include <algorithm>
#include <iterator>

#include "bridge/pause.h"
#include "broker-core/session/session_record.h"

namespace furrow::bridge {

using broker::ExchangeRow;
using broker::RestoredQueue;

std::string_view bridge_of_lane(const broker::QueueRow& row) {
  return std::string_view(row.name).substr(row.name.find('/') + 1);
}

Found find_bridge(const broker::Restored& restored, std::string_view name) {
  const auto row_of = [&](const std::string& key) -> std::optional<broker::Bytes> {
    const auto row = std::ranges::find(restored.sessions, key, &broker::SessionRow::client_id);
    return row != restored.sessions.end() ? row->data : std::nullopt;
  };
  Found found{.session = row_of(broker::far_session_key(name)), .pause = row_of(pause_key(name))};
  std::ranges::copy_if(restored.queues, std::back_inserter(found.lanes), [&](const RestoredQueue& one) {
    return one.row.kind == broker::QueueKind::Lane && bridge_of_lane(one.row) == name;
  });
  const auto queue = std::ranges::find_if(restored.queues, [&](const RestoredQueue& one) {
    return one.row.kind == broker::QueueKind::Bridge && one.row.name == name;
  });
  if (queue == restored.queues.end()) return found;
  found.queue = *queue;
  std::ranges::copy_if(restored.exchanges, std::back_inserter(found.exchanges),
                       [&](const ExchangeRow& row) { return row.queue == queue->row.id; });
  return found;
}

}  // namespace furrow::bridge
