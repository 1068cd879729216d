// The words for the operator about a far side that does not let us in: what it is, what it said, and which keys to look
// at. Texts of the far side are cut, and printable ASCII.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bridge/address.h"
#include "broker-core/base/bytes.h"
#include "broker-core/mqtt/packet.h"

namespace furrow::bridge {

// A far side that is no MQTT broker, as far as its first bytes tell.
enum class Stranger : std::uint8_t { Http, Tls, Ssh, Unknown };

// The stranger that answers CONNECT with these first bytes, which are not MQTT.
Stranger recognize(ByteView first_bytes);
// How many of them recognize() looks at.
inline constexpr std::size_t kGreetingBytes = 8;
std::string describe(Stranger stranger, const Address& address);

// `not_authorized (0x87)`.
std::string describe(mqtt::ReasonCode reason);
// A CONNACK that refuses. `has_username` and `client_id` are what CONNECT had.
std::string describe(const mqtt::Connack& connack, bool has_username, std::string_view client_id);
std::string describe(const mqtt::Disconnect& disconnect);
// Advice for a port that does not answer CONNECT: many a TLS port ends the connection without a word.
bool is_usual_for_tls(std::uint16_t port);
std::string advise_tls(const Address& address);

}  // namespace furrow::bridge
