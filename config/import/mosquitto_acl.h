// An ACL file of Mosquitto as access rules that decide the same about every message.
//
//   file    = (line LF)*     line = "#" TEXT | "user" NAME | ("topic" | "pattern") [ACCESS] TOPIC
//   ACCESS  = read | write | readwrite | deny, where a TOPIC without it is for both and has no blank in it
//
// Mosquitto asks in this order: what is denied to the user, what is granted to the user, then, for everybody, the
// patterns that deny and those that grant; nothing of these: refused. Topics before the first `user` are those of
// clients without a name. Clients with a + or # in their name or identifier get nothing by patterns, and patterns with
// %u are not for clients without a name. This is the order of the rules here.
//
// A subscription is another matter: Mosquitto takes every one and filters the messages. A rule of ours grants it whole
// or not at all, which no translation can change.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/import/mosquitto_lines.h"

namespace furrow::config {

// Rules for clients of `listeners`, or of all listeners if that is empty. `name` is the file's, for remarks.
std::vector<AccessRule> mosquitto_acl_rules(std::string_view text, const std::string& name,
                                            const std::vector<std::string>& listeners, Remarks& remarks);

}  // namespace furrow::config
