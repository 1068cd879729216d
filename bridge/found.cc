#include "bridge/found.h"

#include <algorithm>
#include <iterator>

#include "broker-core/session/session_record.h"

namespace furrow::bridge {

using broker::ExchangeRow;
using broker::RestoredQueue;

Found find_bridge(const broker::Restored& restored, std::string_view name) {
  Found found;
  const auto session =
      std::ranges::find(restored.sessions, broker::far_session_key(name), &broker::SessionRow::client_id);
  if (session != restored.sessions.end()) found.session = session->data;
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
