// What changes when one configuration takes the place of another while the gateway runs.
//
// Listeners are paired by their address, bridges by their name, rules of a bridge by direction and filter; an element
// without a partner has come or gone. The order of a bridge's rules is a value of its own, since the first that matches
// decides. Access rules have no names and mean what they mean together: they are one value.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"

namespace furrow::config {

struct Change {
  std::string key;   // with names in place of indices: `bridges[region].keepalive`, `listeners[0.0.0.0:1883]`
  std::string from;  // as it would be written; of an element that has come: "none"
  std::string to;    // of one that has gone: "none"
  bool needs_restart = false;

  friend bool operator==(const Change&, const Change&) = default;
};

// In the order of the reference file.
std::vector<Change> diff(const Config& running, const Config& wanted);

// Whether only rules or limits of the buffer differ, which a bridge takes while it is connected.
bool keeps_its_link(const Bridge& running, const Bridge& wanted);

// Gives the keys of `wanted` that need a restart the values that are running.
void keep_what_needs_restart(const Config& running, Config& wanted);

}  // namespace furrow::config
