// The addresses and the name of this machine.
#pragma once

#include <string>
#include <vector>

namespace furrow::gateway {

// Without zones and without an order; an address may be there twice.
std::vector<std::string> names_of_machine();

}  // namespace furrow::gateway
