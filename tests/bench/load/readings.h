// What sensors publish for a far broker: many clients with topics of their own, in QoS 1.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tests/bench/load/fleet.h"
#include "tests/bench/load/payload.h"
#include "tests/bench/load/scenarios.h"

namespace furrow::load {

class Readings {
 public:
  Readings(const Broker& broker, const ReadingsOptions& options);

  // Connects the publishers. From then on the fleet's turns count acknowledgements.
  void connect();
  Fleet& fleet() { return fleet_; }
  // Publishes the next message of a publisher.
  void send(std::size_t publisher);

  // Of one publisher.
  std::size_t share() const { return options_.messages / options_.publishers; }
  std::size_t sent(std::size_t publisher) const { return publishers_[publisher].sent; }
  std::size_t acknowledged(std::size_t publisher) const { return publishers_[publisher].acknowledged; }
  // Of all.
  std::size_t sent() const { return sent_; }
  std::size_t acknowledged() const { return acknowledged_; }

 private:
  struct Publisher {
    std::vector<std::string> topics;
    std::size_t sent = 0;
    std::size_t acknowledged = 0;
  };

  void handle_frame(const Client& client, const Frame& frame);

  const ReadingsOptions options_;
  Fleet fleet_;
  std::vector<Publisher> publishers_;
  PayloadMaker payload_;
  std::size_t sent_ = 0;
  std::size_t acknowledged_ = 0;
};

}  // namespace furrow::load
