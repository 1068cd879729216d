#include "config/validate_tls.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "config/messages.h"

namespace furrow::config {
namespace {

constexpr std::size_t kPinsMax = 2;
constexpr std::size_t kProtocolBytesMax = 255;  // RFC 7301 §3.1
constexpr std::size_t kIdentityBytesMax = 128;

void check_pair(const std::filesystem::path& certificate, const std::filesystem::path& key, const std::string& path,
                std::string_view name, Report& report) {
  if (certificate.empty() == key.empty()) return;
  const bool lacks_key = key.empty();
  const std::string missing = lacks_key ? ".key" : ".certificate";
  if (report.places().is_spoiled(path + missing)) return;
  report.error(path + (lacks_key ? ".certificate" : ".key"),
               std::string(name) + (lacks_key ? ".certificate needs its private key in key"
                                              : ".key needs the certificate that it belongs to in certificate"));
}

// --- listeners ---

void check_client_keys(const ListenerTls& tls, const std::string& path, Report& report) {
  if (tls.certificate.empty() || !tls.client_ca.empty() || report.places().is_spoiled(path + ".client_ca")) return;
  for (const std::string_view key : {"require_client_certificate", "username_from", "crl"}) {
    const std::string place = path + "." + std::string(key);
    if (!report.places().is_written(place)) continue;
    report.error(place, "listeners[].tls." + std::string(key) +
                            " needs client_ca: without it clients are not asked for certificates");
  }
}

void check_listener(const Listener& listener, const std::string& listener_at, Report& report) {
  const std::string path = listener_at + ".tls";
  const ListenerTls& tls = listener.tls;
  const Places& places = report.places();
  if (!listener.psk_file.empty()) {
    if (!tls.certificate.empty() || !tls.key.empty() || !tls.client_ca.empty()) {
      report.error(listener_at + ".psk_file",
                   "listeners[].psk_file: a listener has pre-shared keys or certificates, not both; give each a "
                   "listener of its own");
    }
    return;
  }
  check_pair(tls.certificate, tls.key, path, "listeners[].tls", report);
  check_client_keys(tls, path, report);
  const bool has_files = places.is_written(path + ".certificate") || places.is_written(path + ".key");
  if (places.is_written(path) && !places.is_spoiled(path) && !has_files) {
    report.error(path, "listeners[].tls needs certificate and key; 'furrow certs init DIR' makes them");
  }
}

// --- bridges ---

bool is_pin(std::string_view text) {
  constexpr std::string_view kBegin = "sha256/";
  constexpr std::size_t kDigits = 43;  // of 32 bytes in base64, and '=' behind them
  constexpr std::string_view kAllowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (!text.starts_with(kBegin) || text.size() != kBegin.size() + kDigits + 1 || !text.ends_with('=')) return false;
  return text.substr(kBegin.size(), kDigits).find_first_not_of(kAllowed) == std::string_view::npos;
}

void check_pins(const Bridge& bridge, const std::string& path, Report& report) {
  for (const std::string& pin : bridge.pins) {
    if (is_pin(pin)) continue;
    report.error(path + ".pin", "bridges[].pin: " + in_quotes(pin) +
                                    " is not sha256/ and 44 characters of base64; the bridge's reason shows the pin of "
                                    "a far side that it does not trust");
  }
  if (bridge.pins.size() > kPinsMax) {
    report.error(path + ".pin", "bridges[].pin: one, or two for a change of keys");
  }
}

void check_psk(const Bridge& bridge, const std::string& path, Report& report) {
  if (bridge.psk_identity.empty() != bridge.psk_from.empty()) {
    const bool lacks_key = bridge.psk_from.empty();
    report.error(path + (lacks_key ? ".psk_identity" : ".psk_from"),
                 lacks_key ? "bridges[].psk_identity needs its key in psk_from"
                           : "bridges[].psk_from needs the identity that it belongs to in psk_identity");
  }
  if (bridge.psk_identity.size() > kIdentityBytesMax) {
    report.error(path + ".psk_identity", "bridges[].psk_identity is longer than 128 bytes");
  }
}

// What trusts the far side; one of these at most, since two would be as weak as the weaker or nobody knows which.
void check_trust(const Bridge& bridge, const std::string& path, Report& report) {
  const bool has_psk = !bridge.psk_identity.empty() || !bridge.psk_from.empty();
  if (has_psk && (!bridge.pins.empty() || bridge.tls.ca || !bridge.tls.certificate.empty())) {
    report.error(path + ".psk_identity",
                 "bridges[].psk_identity: with a pre-shared key there are no certificates; take tls.ca, "
                 "tls.certificate and pin away");
  } else if (!bridge.pins.empty() && bridge.tls.ca) {
    report.error(path + ".pin", "bridges[].pin decides alone; take tls.ca away, or pin");
  }
}

// The first key of TLS that says anything; empty: none.
std::string first_key(const Bridge& bridge) {
  if (bridge.tls != BridgeTls{}) return ".tls";
  if (!bridge.pins.empty()) return ".pin";
  if (!bridge.psk_identity.empty()) return ".psk_identity";
  return bridge.psk_from.empty() ? "" : ".psk_from";
}

void check_addresses(const Bridge& bridge, const std::string& path, Report& report) {
  const std::string key = first_key(bridge);
  if (key.empty() || bridge.connect.empty() || report.places().is_spoiled(path + ".connect")) return;
  const auto plain = std::ranges::find_if(bridge.connect, [](const Address& one) { return !one.is_encrypted(); });
  if (plain == bridge.connect.end()) return;
  const bool all_plain = std::ranges::none_of(bridge.connect, &Address::is_encrypted);
  if (all_plain) {
    report.error(path + key, "bridges[]" + key + " is for mqtts:// and wss://, and connect has no such address");
  } else {
    report.warning(path + ".connect",
                   "bridges[].connect: " + plain->text() +
                       " is not encrypted, though others are: whoever can cut the others off reads everything");
  }
}

void check_bridge(const Bridge& bridge, const std::string& path, Report& report) {
  check_pair(bridge.tls.certificate, bridge.tls.key, path + ".tls", "bridges[].tls", report);
  check_pins(bridge, path, report);
  check_psk(bridge, path, report);
  check_trust(bridge, path, report);
  check_addresses(bridge, path, report);
  for (const std::string& one : bridge.tls.alpn) {
    if (!one.empty() && one.size() <= kProtocolBytesMax) continue;
    report.error(path + ".tls.alpn", "bridges[].tls.alpn: a protocol has 1 to 255 bytes");
  }
}

}  // namespace

void check_tls(const Config& config, Report& report) {
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    check_listener(config.listeners[i], listener_path(i), report);
  }
  for (std::size_t i = 0; i < config.bridges.size(); ++i) check_bridge(config.bridges[i], bridge_path(i), report);
}

}  // namespace furrow::config
