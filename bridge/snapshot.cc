#include "bridge/snapshot.h"

namespace furrow::bridge {

std::string_view name(State state) {
  switch (state) {
    case State::Connecting:
      return "connecting";
    case State::Online:
      return "online";
    case State::Draining:
      return "draining";
    case State::Stalled:
      return "stalled";
    case State::Backoff:
      return "backoff";
    case State::Waiting:
      return "waiting";
    case State::Disabled:
      break;
  }
  return "disabled";
}

}  // namespace furrow::bridge
