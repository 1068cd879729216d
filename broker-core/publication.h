// One message being routed: what its destinations share, made when the first of them asks for it.
//
// A QoS 0 fan-out to connected subscribers never makes a Message or a Commitment; it copies one encoded form.
// Lives for one call of Broker::publish().
#pragma once

#include <span>

#include "broker-core/message.h"
#include "broker-core/session/journal.h"
#include "broker-core/session/publish_encoding.h"

namespace furrow::broker {

class Publication {
 public:
  Publication(const Message::Fields& fields, Journal& journal, PublishForms& forms, Instant now)
      : fields_(fields), journal_(journal), forms_(forms), now_(now) {
    forms_.reset(fields_, now);
  }

  const Message::Fields& fields() const { return fields_; }
  Instant now() const { return now_; }
  std::size_t bytes_size() const {
    return fields_.topic.size() + fields_.properties.bytes().size() + fields_.payload.size();
  }

  const MessageRef& message() {
    if (!message_) message_ = Message::make(fields_);
    return message_;
  }
  ByteView form(mqtt::Version version, mqtt::Qos qos, bool retain) { return forms_.form(version, qos, retain); }

  // What becomes safe before the publisher is acknowledged.
  Commitment& commitment() {
    if (commitment_ == nullptr) commitment_ = &journal_.open(message());
    return *commitment_;
  }
  bool has_commitment() const { return commitment_ != nullptr; }

 private:
  const Message::Fields& fields_;
  Journal& journal_;
  PublishForms& forms_;
  const Instant now_;
  MessageRef message_;
  Commitment* commitment_ = nullptr;
};

// How the routing table wants one destination to have a publication.
struct RoutedDelivery {
  mqtt::Qos qos = mqtt::Qos::AtMostOnce;  // min(published, granted)
  bool retain = false;  // as published if the subscription asks for that, else clear [MQTT-3.3.1-12, -13]
  std::span<const std::uint32_t> subscription_ids = {};
};

// Who takes messages: a session of a local client, or a bridge.
class Destination {
 public:
  // Takes or drops `publication`, and counts what it did.
  virtual void deliver(Publication& publication, const RoutedDelivery& delivery) = 0;
  // Whether deliver() would have to refuse it (`when_full: refuse`); asked of all before any takes it.
  virtual bool refuses(const Publication& publication, const RoutedDelivery& delivery) const = 0;
  // Whether it may ever do so while the store takes writes. When that changes, Broker::handle_refusals_changed() must
  // be told.
  virtual bool may_refuse() const { return false; }
  // Whether it passes messages on to another broker, and wants to know which gateways they came by (gateway_path.h).
  virtual bool guards_path() const { return false; }
  // Whether it passes messages on to other gateways of a mesh, which know them by their ids (message_id.h). When that
  // changes, Broker::handle_mesh_changed() must be told.
  virtual bool is_meshed() const { return false; }

 protected:
  ~Destination() = default;
};

}  // namespace furrow::broker
