// Counters of the broker, as plain numbers since start. Read by the status topics.
#pragma once

#include <cstdint>

namespace furrow::broker {

struct Stats {
  std::uint64_t messages_received = 0;  // from clients and bridges, and routed
  std::uint64_t messages_sent = 0;      // PUBLISH written to clients

  // Traffic with clients; a bridge's is its own.
  std::uint64_t packets_received = 0;  // of any type
  std::uint64_t packets_sent = 0;
  std::uint64_t publishes_received = 0;  // PUBLISH, whatever became of it
  std::uint64_t payload_bytes_received = 0;
  std::uint64_t payload_bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;

  std::uint64_t dropped_qos0_slow = 0;       // QoS 0 to a client that does not read
  std::uint64_t dropped_too_large = 0;       // larger than the client's maximum packet size
  std::uint64_t dropped_refused = 0;         // QoS 0 or a will that a destination refuses
  std::uint64_t dropped_not_authorized = 0;  // to a topic that the client may not write: PUBLISH and wills
  std::uint64_t dropped_over_limit = 0;      // QoS 0 with too many user properties

  // Access rules.
  std::uint64_t subscriptions_not_authorized = 0;  // refused
  std::uint64_t wills_not_authorized = 0;          // CONNECT refused for them, or not published
  std::uint64_t deliveries_not_authorized = 0;     // messages that a session has subscribed to and may not have

  std::uint64_t connections_offered = 0;  // network connections, also those that were closed at accept
  std::uint64_t clients_maximum = 0;      // connected at a time
  std::uint64_t connects_accepted = 0;
  std::uint64_t connects_refused = 0;                // CONNECT answered with an error
  std::uint64_t connections_over_limit = 0;          // closed at accept
  std::uint64_t connections_over_address_limit = 0;  // likewise
  std::uint64_t connect_timeouts = 0;
  std::uint64_t keep_alive_timeouts = 0;
  std::uint64_t protocol_errors = 0;  // connections closed for what they sent
  std::uint64_t takeovers = 0;
  std::uint64_t sessions_of_others = 0;  // CONNECT refused, because another user made the session
  std::uint64_t logins_failed = 0;       // refused for what they proved, or did not
  std::uint64_t logins_checked = 0;      // passwords, right or wrong
  std::uint64_t logins_overloaded = 0;   // refused unchecked, because too many waited
  std::uint64_t sessions_expired = 0;
  std::uint64_t packets_over_limit = 0;       // larger than `packet`
  std::uint64_t inflight_over_limit = 0;      // beyond the receive maximum: waited, or ended their connection
  std::uint64_t topic_levels_over_limit = 0;  // in PUBLISH, SUBSCRIBE and wills
  std::uint64_t topics_over_limit = 0;        // longer than `topic`, likewise
  std::uint64_t client_ids_over_limit = 0;    // CONNECT refused
  std::uint64_t sessions_over_limit = 0;      // likewise, for want of a session
  std::uint64_t sessions_over_user_limit = 0;
  std::uint64_t user_properties_over_limit = 0;
  std::uint64_t subscriptions_over_limit = 0;
  std::uint64_t publishes_paced = 0;      // reading from their client paused behind them
  std::uint64_t memory_over_limit = 0;    // connections, subscriptions and retained values refused for want of memory
  std::uint64_t retained_over_limit = 0;  // values not retained
  std::uint64_t wills_over_limit = 0;     // published before their clients had their time to come back
  std::uint64_t wills_not_stored = 0;     // kept in memory: the store took no writes, or memory was short
  std::uint64_t retained_overtaken = 0;   // live messages that may have come before the retained one of their topic
  std::uint64_t reading_paused = 0;       // times that `commit_waiting` was reached
  std::uint64_t mesh_had = 0;             // messages that had come another way before, and were not routed again
  std::uint64_t mesh_older = 0;           // routed, as their ids are older than what is known of their origin
  std::uint64_t queues_orphaned = 0;      // found in the store at start without their session

  std::uint64_t dropped() const {
    return dropped_qos0_slow + dropped_too_large + dropped_refused + dropped_not_authorized + dropped_over_limit;
  }
};

struct SubscriptionCounts {
  std::uint64_t own = 0;     // of a client or a bridge for itself
  std::uint64_t shared = 0;  // of each member of each group
};

}  // namespace furrow::broker
