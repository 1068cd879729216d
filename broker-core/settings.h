// Settings that may change while the broker runs, as one value: Broker::apply() takes the whole of it.
//
// From then on every part of the broker goes by the new ones. Nothing that exists is dropped because a limit was
// lowered:
//
//   connections, subscriptions, retained topics   those that are there stay; no more are added
//   retained bytes                                values may still be replaced by smaller ones
//   session queues                                what is over the limit makes room when other messages come
//   packet size                                   from the next packet; a client of MQTT 5 that was told a larger one
//                                                 keeps that until it connects again
//   inflight                                      what is in flight stays; no more is sent, or read, until it is less;
//                                                 never 0
//   session expiry, keep-alive                    from the next CONNECT, or DISCONNECT
//   commit waiting, memory                        with the end of the turn
//   access rules                                  at once: for clients that are connected, for sessions that are not,
//                                                 and for what waits in their queues, which is dropped when it is no
//                                                 longer granted. Subscriptions stay, and bring what is granted of them
//   listeners, client_id                          from the next CONNECT; who is connected stays
//   sessions                                      those that are there stay; no more are made
#pragma once

#include <memory>
#include <vector>

#include "broker-core/access/rules.h"
#include "broker-core/limits.h"
#include "broker-core/listener_policy.h"
#include "broker-core/session/commit_interval.h"
#include "broker-core/session/journal.h"

namespace furrow::broker {

struct Settings {
  Limits limits;
  Journal::Options journal;
  CommitInterval commit_interval;
  std::shared_ptr<const access::Rules> access_rules;  // nothing: there are none
  // Before MQTT 5 a client cannot be told that its message is forbidden. Either its connection ends, or the message is
  // acknowledged and dropped.
  bool forbidden_disconnects = false;
  // Clients name theirs in Arrival::listener. The one that stands here by default has no name, and lets in everybody.
  std::vector<ListenerPolicy> listeners = {ListenerPolicy{}};
  ClientIdPolicy client_id = ClientIdPolicy::Free;
};

}  // namespace furrow::broker
