// What a listener asks of those who come by it, before they may do anything.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace furrow::broker {

struct ListenerPolicy {
  std::string name = {};
  bool anonymous = true;  // whether clients may connect that prove nothing
  // A certificate, a pre-shared key or a unix socket has to vouch for the user; the user has to have the right
  // password. Neither: one of them will do.
  bool needs_vouched = false;
  bool needs_password = false;
};

// The one of `name`; nullptr when there is none.
inline const ListenerPolicy* find_listener(const std::vector<ListenerPolicy>& listeners, std::string_view name) {
  const auto found = std::ranges::find(listeners, name, &ListenerPolicy::name);
  return found == listeners.end() ? nullptr : &*found;
}

// What client identifiers have to do with users.
enum class ClientIdPolicy : std::uint8_t {
  Free,
  User,            // a user's clients are called like the user; one that has no identifier is given that
  StartsWithUser,  // their identifiers begin with the user's name
};

}  // namespace furrow::broker
