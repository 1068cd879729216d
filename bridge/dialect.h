// Which version of MQTT to speak to the far broker: the best that it has been found to understand.
//
//   MQTT 5  →  3.1.1 with the bridge bit  →  3.1.1        one step at each refusal; after the last, from the start
//
// The bridge bit (level byte 0x84) asks a 3.1.1 broker not to send our own messages back, so it is tried only when
// something comes down. A refusal is CONNACK 0x84 (return code 1), or that the connection is closed in answer to
// CONNECT without CONNACK: a broker of 3.1.1 may do that to a level it does not know. A broker that is starting, or a
// link that breaks, does so too, hence twice for MQTT 5, and five times before the bit that keeps echoes away is given
// up. What was accepted is kept for later connections.
#pragma once

#include <cstdint>
#include <vector>

#include "broker-core/mqtt/protocol.h"

namespace furrow::bridge {

enum class VersionChoice : std::uint8_t { Auto, V5, V3_1_1 };

class Dialect {
 public:
  Dialect(VersionChoice choice, bool wants_bridge_bit);

  mqtt::Version version() const { return steps_[step_].version; }
  bool bridge_bit() const { return steps_[step_].bridge_bit; }

  // CONNACK came, and its reason was not the version: what we speak is understood.
  void handle_understood();
  // CONNACK refused the version. True when there is another to try, at once.
  bool handle_refused();
  // The connection was closed in answer to CONNECT. True when there is another to try, at once.
  bool handle_closed_silently();

 private:
  struct Step {
    mqtt::Version version;
    bool bridge_bit;
  };
  bool advance();

  // Constant after construction.
  std::vector<Step> steps_;
  // Changes with handle_*().
  std::size_t step_ = 0;
  bool understood_ = false;
  unsigned silent_closes_ = 0;  // in a row, at this step
};

}  // namespace furrow::bridge
