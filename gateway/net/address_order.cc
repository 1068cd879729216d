#include "gateway/net/address_order.h"

#include <algorithm>

namespace furrow::gateway {
namespace {

bool contains(const std::vector<SocketAddress>& addresses, const SocketAddress& wanted) {
  return std::find(addresses.begin(), addresses.end(), wanted) != addresses.end();
}

}  // namespace

std::vector<SocketAddress> in_order_of_trying(const std::vector<SocketAddress>& addresses,
                                              const std::optional<SocketAddress>& first) {
  std::vector<SocketAddress> left;
  for (const SocketAddress& one : addresses) {
    if (!contains(left, one)) left.push_back(one);
  }
  std::vector<SocketAddress> order;
  auto next = first ? std::find(left.begin(), left.end(), *first) : left.end();
  if (next == left.end()) next = left.begin();
  while (next != left.end() && order.size() < kAddressesTriedMax) {
    order.push_back(*next);
    left.erase(next);
    const auto of_another_family = [&](const SocketAddress& one) { return one.family() != order.back().family(); };
    next = std::find_if(left.begin(), left.end(), of_another_family);
    if (next == left.end()) next = left.begin();
  }
  return order;
}

}  // namespace furrow::gateway
