// Strings as MQTT wants them [MQTT 5.0 §1.5.4; 3.1.1 §1.5.3].
#pragma once

#include <string_view>

namespace furrow::mqtt {

// Well-formed UTF-8: no surrogates, no overlong forms, nothing past U+10FFFF [MQTT-1.5.4-1], and no U+0000
// [MQTT-1.5.4-2]. Control characters and non-characters pass: the specification only advises against them.
bool is_valid_utf8(std::string_view text);

// Whether one of U+0001 to U+001F or U+007F to U+009F is in it, which no name of anything needs. REQUIRES: valid UTF-8.
bool has_control_character(std::string_view text);

}  // namespace furrow::mqtt
