// The gateway without its edges: the broker, the buffers and bridges, and the order of one turn.
//
// Pure: no socket, thread, file or clock. The runtime drives it with real ones and the simulator with invented ones, so
// the order that is simulated is the order that ships.
//
//   between turns   broker().handle_*() and those of the bridges with what came; handle_store() with the store's
//                   answers
//   handle_due()    what is due by now, first the broker's, then the bridges'
//   end_turn()      until nothing is left to do: the broker ends its turn and submits a batch if one is due; bridges
//                   perform what they want and write; then the clients' outputs are written; bridges that have left are
//                   replaced
//   then            wait until next_deadline() at most
//
// Bridges write before clients, since the far side's acknowledgement of what leaves now takes longest. Thread: loop.
// `now` never goes backwards.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "bridge/bridge.h"
#include "bridge/buffer.h"
#include "broker-core/broker.h"
#include "broker-core/store.h"

namespace furrow::gateway {

class Engine final {
 public:
  // Where bytes leave. Called by end_turn() only; may call handle_sent() and handle_closed() of whom it writes for.
  class Edge {
   public:
    // Performs the bridge's commands, and writes its output as far as the network takes it.
    virtual void flush(bridge::Bridge& bridge, Instant now) = 0;
    // Writes the output of each connection that the broker's poll_ready() gives, until there is none.
    virtual void flush_clients(Instant now) = 0;
    // A bridge that renew_bridge() or retire_bridge() has sent away is about to end; and its successor is there.
    virtual void handle_bridge_left(const bridge::Bridge& bridge) = 0;
    virtual void handle_bridge_made(bridge::Bridge& bridge) = 0;

   protected:
    ~Edge() = default;
  };

  // `restored` is what the store held at start. `store` and `log` must outlive the engine.
  Engine(const broker::Broker::Options& options, broker::Store& store, broker::Journal::StampClock stamp, Log& log,
         broker::Restored restored, Instant now);

  broker::Broker& broker() { return broker_; }
  const broker::Broker& broker() const { return broker_; }
  bridge::Buffers& buffers() { return buffers_; }

  // --- bridges, in the order in which they were added ---
  // A bridge that sends from the buffer of its name. REQUIRES: there is no bridge of that name.
  bridge::Bridge& add_bridge(bridge::Options options, Instant now);
  // nullptr when there is none, or only one that is to go for good.
  bridge::Bridge* find_bridge(std::string_view name) const;
  // Whether there is one, even if it is to go for good.
  bool has_bridge(std::string_view name) const;
  // It is on its way out, by one of the next two.
  bool is_leaving(const bridge::Bridge& bridge) const;
  // Another takes the place of the bridge with this name, once that has left. The buffer takes messages by the new
  // rules and limits at once. Said again meanwhile, the later options hold. REQUIRES: there is one.
  void renew_bridge(bridge::Options options, Instant now);
  // The bridge ends once it has left. Its buffer takes no more messages, and keeps what it has.
  // REQUIRES: there is one.
  void retire_bridge(std::string_view name, Instant now);
  const std::vector<std::unique_ptr<bridge::Bridge>>& bridges() const { return bridges_; }

  // --- the world → the engine ---
  // What the store has to say since it was asked last.
  struct StoreNews {
    bool failing = false;                    // the medium takes no messages
    BatchNumber durable;                     // every batch up to this one is
    std::optional<broker::Batch> withdrawn;  // nothing of this batch was written, and the store has forgotten it
    std::vector<broker::Page> pages;
  };
  void handle_store(StoreNews news, Instant now);
  void handle_due(Instant now);
  // What flushing makes ready, such as the will of a client whose socket broke, leaves in the same turn. When
  // kRoundsMax are not enough, next_deadline() brings another turn at once: sockets are read in between.
  void end_turn(Instant now, Edge& edge);
  static constexpr int kRoundsMax = 4;
  // Bridges and clients are told; everything that waits is submitted to the store.
  void shut_down(Instant now);

  Instant next_deadline() const;

 private:
  // Something could leave now.
  bool has_work() const;
  // A bridge on its way out.
  struct Leaving {
    bridge::Bridge* bridge;
    std::optional<bridge::Options> successor;
  };
  std::vector<std::unique_ptr<bridge::Bridge>>::const_iterator look_up(std::string_view name) const;
  Leaving& begin_leaving(bridge::Bridge& bridge, Instant now);
  void replace_left(Instant now, Edge& edge);

  Log& log_;
  broker::Broker broker_;
  bridge::Buffers buffers_;
  std::vector<std::unique_ptr<bridge::Bridge>> bridges_;
  std::vector<Leaving> leaving_;  // some of bridges_
  bool stopping_ = false;
  BatchNumber durable_;  // the last watermark that the broker was told
};

}  // namespace furrow::gateway
