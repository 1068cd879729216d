#include "config/validate.h"

#include "config/messages.h"
#include "config/report.h"
#include "config/scalar.h"
#include "config/survival_notes.h"
#include "config/validate_access.h"
#include "config/validate_bridges.h"
#include "config/validate_identity.h"
#include "config/validate_link.h"
#include "config/validate_provider.h"
#include "config/validate_status.h"
#include "config/validate_tls.h"

namespace furrow::config {
namespace {

void check_listeners(const std::vector<Listener>& listeners, Report& report) {
  if (listeners.empty()) report.warning("listeners", "listeners: []: no client can connect");
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    const Bind& bind = listeners[i].bind;
    for (std::size_t before = 0; before < i; ++before) {
      const Bind& taken = listeners[before].bind;
      const bool is_known = !report.places().is_spoiled(listener_path(before) + ".bind");
      if (!is_known || !taken.collides_with(bind)) continue;
      report.error(listener_path(i) + ".bind", "listeners[].bind: " + bind.text() + " is taken by the listener on " +
                                                   taken.text() + " " + in_line(listeners[before].place));
      break;
    }
  }
}

void check_proxy_protocol(const std::vector<Listener>& listeners, Report& report) {
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    const std::string section = listener_path(i) + ".proxy_protocol";
    const std::vector<IpNetwork>& from = listeners[i].proxy_protocol.from;
    const Places& places = report.places();
    if (places.is_written(section) && !places.is_spoiled(section) && !places.is_written(section + ".from")) {
      report.error(section + ".from", "listeners[].proxy_protocol needs 'from' with the addresses of the balancers");
    }
    for (const IpNetwork& network : from) {
      if (!network.is_everything()) continue;
      report.warning(section + ".from", "listeners[].proxy_protocol.from: " + network.text() +
                                            ": everybody can pretend to be at any address; name the balancers");
    }
  }
}

void check_listener_names(const Config& config, Report& report) {
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    const std::string name = listener_name(config, i);
    const std::string path = listener_path(i) + ".name";
    if (!is_name(name)) {
      report.error(path, "listeners[].name: " + explain_name(name));
      continue;
    }
    for (std::size_t before = 0; before < i; ++before) {
      if (listener_name(config, before) != name) continue;
      report.error(path, "listeners[].name: " + in_quotes(name) + " is the name of the listener " +
                             in_line(config.listeners[before].place) + " too; give each its own");
      break;
    }
  }
}

// What only a unix socket has, and what it cannot have.
void check_unix_sockets(const std::vector<Listener>& listeners, Report& report) {
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    const Listener& listener = listeners[i];
    const std::string path = listener_path(i);
    const bool is_unix = listener.bind.kind == Bind::Kind::Unix;
    const auto misplaced = [&](bool is_misplaced, const std::string& key, std::string_view why) {
      if (is_misplaced) report.error(path + key, "listeners[]" + key + std::string(why));
    };
    misplaced(!is_unix && listener.mode != Listener().mode, ".mode", " is for unix:PATH");
    misplaced(!is_unix && !listener.group.empty(), ".group", " is for unix:PATH");
    constexpr std::string_view kNobody = ": nobody comes to a unix socket from an address";
    misplaced(is_unix && !listener.allow_from.empty(), ".allow_from", kNobody);
    misplaced(is_unix && !listener.proxy_protocol.from.empty(), ".proxy_protocol", kNobody);
    const bool is_octal = !listener.mode.empty() && listener.mode.size() <= 4 &&
                          listener.mode.find_first_not_of("01234567") == std::string::npos;
    if (!is_octal) {
      report.error(path + ".mode", "listeners[].mode: " + in_quotes(listener.mode) +
                                       " are not the rights of a file: write octal digits in quotes, as in \"0660\"");
    }
  }
}

void check_origins(const std::vector<Listener>& listeners, Report& report) {
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    if (listeners[i].protocol == Protocol::WebSocket || listeners[i].origins.empty()) continue;
    report.error(listener_path(i) + ".origins", "listeners[].origins is for a listener with protocol: websocket");
  }
}

// MQTT counts both in seconds.
void check_times(const Sessions& sessions, Report& report) {
  const auto check = [&report](Duration time, const std::string& key) {
    if (!is_whole_seconds(time)) report.error(key, key + " must be whole seconds");
  };
  check(sessions.expiry_max, "sessions.expiry_max");
  check(sessions.keepalive_max, "sessions.keepalive_max");
}

void check_sizes(const Config& config, Report& report) {
  const std::uint64_t packet = config.limits.packet_bytes_max;
  const auto too_small = [packet](std::uint64_t bytes) { return bytes != 0 && bytes < packet; };
  if (too_small(config.limits.commit_waiting_bytes_max)) {
    report.warning("limits.commit_waiting",
                   "limits.commit_waiting is smaller than limits.packet: one large message makes all QoS 1 and 2 "
                   "publishers wait");
  }
  if (too_small(config.limits.retained.bytes_max)) {
    report.warning("limits.retained.bytes",
                   "limits.retained.bytes is smaller than limits.packet: the largest message cannot be retained");
  }
  if (too_small(config.sessions.queue.bytes_max)) {
    report.warning("sessions.queue.bytes",
                   "sessions.queue.bytes is smaller than limits.packet: the largest message never waits for a session");
  }
  for (std::size_t i = 0; i < config.bridges.size(); ++i) {
    if (too_small(config.bridges[i].buffer.bytes_max)) {
      report.warning(bridge_path(i) + ".buffer.bytes",
                     "bridges[].buffer.bytes is smaller than limits.packet: the largest message is never buffered");
    }
  }
}

}  // namespace

void validate(const Config& config, const Places& places, Diagnostics& diagnostics) {
  Report report(places, diagnostics);
  check_listeners(config.listeners, report);
  check_proxy_protocol(config.listeners, report);
  check_origins(config.listeners, report);
  check_listener_names(config, report);
  check_unix_sockets(config.listeners, report);
  check_identity(config, report);
  check_tls(config, report);
  check_access_rules(config, report);
  check_sizes(config, report);
  check_times(config.sessions, report);
  check_gateway_id(config.gateway.id, report);
  check_bridges(config, report);
  check_status(config, report);
  warn_about_losses(config, report);
  if (has_errors(diagnostics)) return;
  check_shadowed_access_rules(config, report);
  note_anonymous_access(config, report);
  note_limits(config, report);
  note_links(config, report);
  note_providers(config, report);
  note_anonymous(config, report);
}

}  // namespace furrow::config
