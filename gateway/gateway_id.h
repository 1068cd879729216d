// Who this gateway is when nobody said so: the host's name and six hex digits of its machine id.
#pragma once

#include <string>
#include <string_view>

#include "broker-core/base/result.h"
#include "gateway/store/sqlite_store.h"

namespace furrow::gateway {

// `barn-7-3fa29c`: the digits keep apart machines that were cloned with one name. The machine id itself is not shown:
// machine-id(5) asks for that. What a client identifier had better not have in it becomes '-'.
std::string make_gateway_id(std::string_view host_name, std::string_view machine_id);

// That of this machine.
std::string gateway_id_of_machine();

// `configured`, unless it is empty: then the id that the store keeps, made at the first start, so that a host that is
// renamed stays the same gateway to the far side.
Result<std::string> gateway_id(const std::string& configured, SqliteStore& store);

}  // namespace furrow::gateway
