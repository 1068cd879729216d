// The user properties that a message gets on its way to a far broker of MQTT 5: those of its rule, and stamps that say
// when and where it came in, and in which order. A message that has one of the same name keeps its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker-core/base/bytes.h"
#include "broker-core/base/ids.h"
#include "broker-core/base/time.h"
#include "broker-core/mqtt/properties.h"

namespace furrow::bridge {

using UserProperty = std::pair<std::string, std::string>;  // name and value

// User properties, encoded once.
class UserProperties {
 public:
  UserProperties() = default;
  explicit UserProperties(const std::vector<UserProperty>& properties);

  bool empty() const { return encoded_.empty(); }
  // Appends to the properties in `out` those whose names are not there.
  void add_to(ByteBuffer& out) const;

 private:
  std::vector<std::uint8_t> encoded_;
};

struct StampOptions {
  bool received_at = false;
  bool gateway = false;
  bool sequence = false;

  bool any() const { return received_at || gateway || sequence; }
  friend bool operator==(const StampOptions&, const StampOptions&) = default;
};

// What a stamp says of one message.
struct Stamp {
  std::optional<WallTime> received;  // nothing when the clock cannot be trusted
  std::string_view gateway;
  std::uint64_t number = 0;  // 0: it has none, as it never was in the queue
};
// Appends what `options` ask for to the properties in `out`.
void add_stamp(const StampOptions& options, const Stamp& stamp, ByteBuffer& out);

}  // namespace furrow::bridge
