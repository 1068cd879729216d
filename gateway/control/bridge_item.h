// A bridge and its buffer as an operator lists them.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "bridge/bridge.h"
#include "bridge/buffer.h"
#include "gateway/control/json_object.h"

namespace furrow::gateway {

// `bridge` is nullptr where none runs; `why_not` says then why that is so.
JsonObject bridge_item(const bridge::Buffer& buffer, const bridge::Bridge* bridge, std::string_view why_not,
                       Instant now);

// The place of the address that an operator names by its URL, by `host:port` or by its host alone. Nothing when none
// fits, or several do.
std::optional<std::size_t> find_address(const std::vector<bridge::Address>& addresses, std::string_view named);
// All of them, for people.
std::string address_list(const std::vector<bridge::Address>& addresses);

}  // namespace furrow::gateway
