// QoS 1 and 2 messages that a destination refuses (`when_full: refuse`), from a publisher that cannot be told so.
//
// The messages keep their order and their place among the acknowledgements, and are taken as soon as there is room: the
// router knows every holder, and has it try again after a queue has made room. Messages that are left when the
// connection ends are forgotten, since they were never acknowledged. The owner, who stops reading, bounds them. Thread:
// loop.
#pragma once

#include <cstdint>
#include <optional>

#include "broker-core/base/ring.h"
#include "broker-core/message.h"
#include "broker-core/routing/subscriber_id.h"
#include "broker-core/session/ack_queue.h"
#include "broker-core/store.h"

namespace furrow::broker {

class Router;

class HeldPublishes {
 public:
  struct Held {
    MessageRef message;
    AckTicket ticket;
    std::optional<ExchangeRow> exchange;  // stored with it, as for Router::publish()
    PacketId packet_id;
    std::uint32_t rule = 0;  // a bridge's; means nothing to this class
  };
  // Is told that a message was taken after all: it was routed, or had come by another way meanwhile (`had`).
  class Owner {
   public:
    virtual void handle_taken(const Held& held, bool had) = 0;
    // Whether the publisher may still publish the message. One that it may not is acknowledged and not routed: its
    // publisher cannot be told.
    virtual bool still_allowed(const Held&) { return true; }

   protected:
    ~Owner() = default;
  };

  // `origin` is who publishes. Both references must outlive it.
  HeldPublishes(Router& router, SubscriberId origin, Owner& owner);
  ~HeldPublishes();
  HeldPublishes(const HeldPublishes&) = delete;
  HeldPublishes& operator=(const HeldPublishes&) = delete;

  bool empty() const { return held_.empty(); }
  std::size_t size() const { return held_.size(); }
  // Memory that the messages take, about.
  std::size_t bytes() const { return bytes_; }
  // Keeps a copy of the message that Router::publish() refused, with the arguments that it was given.
  void push(const Message::Fields& fields, AckTicket ticket, const ExchangeRow* exchange, PacketId packet_id,
            std::uint32_t rule = 0) {
    held_.push_back({Message::make(fields), std::move(ticket),
                     exchange != nullptr ? std::optional(*exchange) : std::nullopt, packet_id, rule});
    bytes_ += bytes_of(held_.back());
  }
  // Publishes the messages in order, until one is refused again.
  void retry(Instant now);

 private:
  static std::size_t bytes_of(const Held& held) { return sizeof(Held) + sizeof(Message) + held.message->bytes_size(); }

  Router& router_;
  const SubscriberId origin_;
  Owner& owner_;
  Ring<Held> held_;
  std::size_t bytes_ = 0;
};

}  // namespace furrow::broker
