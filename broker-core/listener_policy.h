// What a listener asks of those who come by it, before they may do anything.
#pragma once

#include <string>

namespace furrow::broker {

struct ListenerPolicy {
  std::string name = {};
  bool anonymous = true;  // whether clients may connect that prove nothing
};

}  // namespace furrow::broker
