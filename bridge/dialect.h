// Which version of MQTT to speak to the far broker: the best that it has been found to understand.
//
//   MQTT 5  →  3.1.1 with the bridge bit  →  3.1.1        one step at each refusal; after the last, from the start
//
// The bridge bit (level byte 0x84) asks a 3.1.1 broker not to send our own messages back, so it is tried only when
// something comes down. A refusal is CONNACK 0x84 (return code 1), or no CONNACK at all: a broker of 3.1.1 may close
// the connection at a level it does not know, or say nothing. A broker that is starting, or a link that breaks, does so
// too, hence two closes, or one silence, for MQTT 5, and five closes before the bit that keeps echoes away is given up.
//
// An accepted dialect is kept for later connections, and over restarts. A broker may learn a better version, and a
// refusal may have been an accident, so after some hours a connection that is to be made anyway asks for the better
// ones once more; there one refusal of any kind is enough. Time: passed in.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "broker-core/base/time.h"
#include "broker-core/mqtt/protocol.h"

namespace furrow::bridge {

enum class VersionChoice : std::uint8_t { Auto, V5, V3_1_1 };

class Dialect {
 public:
  Dialect(VersionChoice choice, bool wants_bridge_bit);

  mqtt::Version version() const { return steps_[step_].version; }
  bool bridge_bit() const { return steps_[step_].bridge_bit; }
  // `MQTT 5`.
  std::string_view name() const {
    if (version() == mqtt::Version::V5) return "MQTT 5";
    return bridge_bit() ? "MQTT 3.1.1 with the bridge bit" : "MQTT 3.1.1";
  }
  // Whether the broker is known to understand it, or one that is not as good.
  bool is_understood() const { return understood_; }
  // Whether there is a better one, which would be tried first otherwise.
  bool is_fallback() const { return step_ > 0; }
  // Whether the bit is wanted, and the broker does without.
  bool lacks_bridge_bit() const { return wants_bridge_bit_ && version() == mqtt::Version::V3_1_1 && !bridge_bit(); }

  // MQTT 3.1.1 was understood before a restart, with the bridge bit unless it was found to be lacking. Null effect when
  // that is not among what is to be tried.
  void restore(bool lacks_bridge_bit, Instant now);
  // A connection is about to be made: decides whether better ones are asked for once more.
  void handle_dial(Instant now);
  // CONNACK came, and its reason was not the version: what we speak is understood.
  void handle_understood(Instant now);
  // CONNACK refused the version. True when there is another to try, at once.
  bool handle_refused();

  // The meaning of a CONNECT without CONNACK: try another dialect at once; or this one again soon, since more of it
  // would be a refusal; or it says nothing about the dialect.
  enum class Verdict : std::uint8_t { NextAtOnce, AskAgain, Unrelated };
  // The connection was closed in answer to CONNECT; or nothing came.
  Verdict handle_closed_silently() { return handle_no_answer(1); }
  Verdict handle_silence() { return handle_no_answer(version() == mqtt::Version::V5 ? 2 : 1); }

 private:
  struct Step {
    mqtt::Version version;
    bool bridge_bit;
  };
  Verdict handle_no_answer(unsigned weight);
  unsigned patience() const;
  bool advance();

  // Constant after construction.
  bool wants_bridge_bit_;
  std::vector<Step> steps_;
  // Changes with handle_*().
  std::size_t step_ = 0;
  bool understood_ = false;
  std::size_t proven_ = 0;       // the step that is known to work, while better ones are tried again; else 0
  Instant better_due_ = kNever;  // when to try those again
  unsigned no_answers_ = 0;      // in a row, at this step
};

}  // namespace furrow::bridge
