// What a gateway answers to a trace, as lines for people.
//
//   line := TIME ["bridge"] NAME ADDRESS ("received"|"sent") PACKET { KEY=VALUE }
// Fields stand in the order in which the gateway gives them, and so do those that this version does not know. A flag
// that is set is its name alone; one that is not is left out where that is the usual case.
#pragma once

#include <string>
#include <string_view>

namespace furrow::gateway {

// With its end. `json` is a line of the answer.
std::string trace_line(std::string_view json);
// How it went, by the end of the answer.
std::string trace_summary(std::string_view end);

}  // namespace furrow::gateway
