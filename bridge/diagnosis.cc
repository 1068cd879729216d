#include "bridge/diagnosis.h"

#include <algorithm>

namespace furrow::bridge {

using mqtt::PropertyId;
using mqtt::ReasonCode;

namespace {

constexpr std::size_t kForeignBytesMax = 100;

// A text of the far side, in quotes. Other characters than printable ASCII become question marks: the reader may be a
// terminal.
std::string quoted(std::string_view text) {
  std::string quote = "\"";
  for (const char each : text.substr(0, kForeignBytesMax)) {
    const bool is_printable = each >= ' ' && each <= '~' && each != '"';
    quote += is_printable ? each : '?';
  }
  return quote + (text.size() > kForeignBytesMax ? "...\"" : "\"");
}

// The Reason String and the Server Reference, if there are any.
std::string remarks(mqtt::PropertyView properties) {
  std::string remarks;
  if (const auto reason = properties.text(PropertyId::ReasonString); reason && !reason->empty()) {
    remarks += ": " + quoted(*reason);
  }
  if (const auto server = properties.text(PropertyId::ServerReference); server && !server->empty()) {
    remarks += "; it names another server for connect: " + quoted(*server);
  }
  return remarks;
}

std::string advice(ReasonCode reason, bool has_username, std::string_view client_id) {
  switch (reason) {
    case ReasonCode::BadUserNameOrPassword:
    case ReasonCode::NotAuthorized:
      if (!has_username) return "it may want a username and password_from, which are not set";
      return "look at username and password_from, and at what it allows client_id " + quoted(client_id);
    case ReasonCode::ClientIdentifierNotValid:
      return "look at client_id, which is " + quoted(client_id);
    case ReasonCode::Banned:
      return "it has banned client_id " + quoted(client_id) + ", the username or our address";
    case ReasonCode::BadAuthenticationMethod:
      return "it wants more than username and password_from, which is all that furrow has";
    case ReasonCode::UnsupportedProtocolVersion:
      return "look at mqtt_version";
    case ReasonCode::UseAnotherServer:
    case ReasonCode::ServerMoved:
      return "look at connect";
    case ReasonCode::QuotaExceeded:
    case ReasonCode::ConnectionRateExceeded:
      return "it limits how many connections there are, or how often they come";
    case ReasonCode::PacketTooLarge:
      return "CONNECT is too large for it: look at client_id and username";
    default:
      return {};
  }
}

Address encrypted(Address address) {
  address.scheme = address.is_web() ? "wss" : "mqtts";
  return address;
}

}  // namespace

Stranger recognize(ByteView first_bytes) {
  const std::string_view text = as_text(first_bytes);
  // Some web servers answer what is no request with a page alone.
  for (const std::string_view start : {"HTTP/", "<!DOC", "<!doc", "<html", "<HTML"}) {
    if (text.starts_with(start)) return Stranger::Http;
  }
  if (text.starts_with("SSH-")) return Stranger::Ssh;
  // A record of an alert or a handshake, of SSL 3 to TLS 1.3 [RFC 8446 §5.1].
  const bool is_record = first_bytes.size() >= 2 && (first_bytes[0] == 0x15 || first_bytes[0] == 0x16);
  return is_record && first_bytes[1] == 0x03 ? Stranger::Tls : Stranger::Unknown;
}

std::string describe(Stranger stranger, const Address& address) {
  switch (stranger) {
    case Stranger::Http:
      return address.text() + " answers HTTP: it is a web server, not an MQTT broker";
    case Stranger::Tls:
      return address.text() + " speaks TLS: use " + encrypted(address).url();
    case Stranger::Ssh:
      return address.text() + " answers SSH: it is not an MQTT broker";
    case Stranger::Unknown:
      break;
  }
  return address.text() + " answers CONNECT with something that is not MQTT";
}

std::string describe(ReasonCode reason) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto code = static_cast<unsigned>(reason);
  return std::string(mqtt::name(reason)) + " (0x" + kDigits[code >> 4U] + kDigits[code & 0x0FU] + ")";
}

std::string describe(const mqtt::Connack& connack, bool has_username, std::string_view client_id) {
  std::string text = "the far broker refused CONNECT: " + describe(connack.reason) + remarks(connack.properties);
  const std::string what_to_do = advice(connack.reason, has_username, client_id);
  return what_to_do.empty() ? text : text + "; " + what_to_do;
}

std::string describe(const mqtt::Disconnect& disconnect) {
  return "the far broker sent DISCONNECT: " + std::string(mqtt::name(disconnect.reason)) +
         remarks(disconnect.properties);
}

bool is_usual_for_tls(std::uint16_t port) {
  return port == 8883 || port == 8884 || port == 8443 || port == 443;
}

std::string advise_tls(const Address& address) {
  return address.is_encrypted() ? "" : "; if it wants TLS, use " + encrypted(address).url();
}

}  // namespace furrow::bridge
