// The checkers' book: what sensors were promised and what reached the region. It knows nothing of the code under test.
//
//   safety    a first arrival comes in the order of publishing, per sensor (one topic, one QoS)
//             QoS 2 arrives once
//   liveness  in the end everything acknowledged has arrived (`missing()` is empty)
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "broker-core/mqtt/protocol.h"

namespace furrow::sim {

class Ledger {
 public:
  void add_sensor(mqtt::Qos qos) { sensors_.push_back({qos, {}, 0}); }

  void published(std::size_t sensor, std::uint32_t number) {
    auto& messages = sensors_[sensor].messages;
    if (messages.size() <= number) messages.resize(number + 1);
  }
  void acknowledged(std::size_t sensor, std::uint32_t number) { sensors_[sensor].messages[number].acknowledged = true; }

  void arrived(std::size_t sensor, std::uint32_t number) {
    Sensor& from = sensors_.at(sensor);
    if (number >= from.messages.size()) {
      fail("sensor " + std::to_string(sensor) + ": message " + std::to_string(number) + " was never published");
      return;
    }
    Message& message = from.messages[number];
    if (++message.arrivals > 1) {
      if (from.qos == mqtt::Qos::ExactlyOnce) {
        fail("sensor " + std::to_string(sensor) + ": QoS 2 message " + std::to_string(number) + " arrived twice");
      }
      return;
    }
    if (number + 1 < from.arrived_next) {
      fail("sensor " + std::to_string(sensor) + ": message " + std::to_string(number) +
           " arrived first after message " + std::to_string(from.arrived_next - 1));
    }
    from.arrived_next = number + 1;
  }

  // Acknowledged and not arrived: how many, and the first of each sensor as text.
  std::size_t missing(std::string& text) const {
    std::size_t count = 0;
    for (std::size_t s = 0; s < sensors_.size(); ++s) {
      bool named = false;
      for (std::size_t n = 0; n < sensors_[s].messages.size(); ++n) {
        const Message& message = sensors_[s].messages[n];
        if (!message.acknowledged || message.arrivals > 0) continue;
        ++count;
        if (!named) text += " sensor " + std::to_string(s) + " message " + std::to_string(n) + ";";
        named = true;
      }
    }
    return count;
  }

  std::uint64_t arrivals() const {
    std::uint64_t count = 0;
    for (const Sensor& sensor : sensors_) {
      for (const Message& message : sensor.messages) count += message.arrivals;
    }
    return count;
  }

  void fail(const std::string& what) { failures_.push_back(what); }
  const std::vector<std::string>& failures() const { return failures_; }

 private:
  struct Message {
    bool acknowledged = false;
    std::uint32_t arrivals = 0;
  };
  struct Sensor {
    mqtt::Qos qos;
    std::vector<Message> messages;
    std::uint32_t arrived_next;  // one more than the last first arrival
  };
  std::vector<Sensor> sensors_;
  std::vector<std::string> failures_;
};

}  // namespace furrow::sim
