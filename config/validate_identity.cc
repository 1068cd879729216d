#include "config/validate_identity.h"

#include <array>

#include "config/messages.h"

namespace furrow::config {
namespace {

constexpr std::array<std::string_view, 4> kProofs{"certificate", "psk", "socket", "password"};

bool is_open_to_the_network(const Listener& listener) {
  return !listener.bind.is_loopback() || !listener.proxy_protocol.from.empty();
}

bool can_prove(const Config& config, const Listener& listener) {
  return !config.access.password_file.empty() || listener.can_vouch();
}

// A listener without users lets everybody who reaches it do everything, so somebody must have decided that.
void check_open(const Config& config, std::size_t place, Report& report) {
  const Listener& listener = config.listeners[place];
  if (!is_open_to_the_network(listener)) {
    report.error(
        listener_path(place) + ".anonymous",
        "listeners[].anonymous: false needs access.password_file, or nobody can connect to " + listener.bind.text());
    return;
  }
  const std::string then = " without credentials; if that is meant, write 'access: {anonymous: true}'";
  if (listener.bind.is_loopback()) {
    report.error(listener_path(place) + ".proxy_protocol",
                 "listeners[].proxy_protocol lets in clients from beyond this machine" + then);
  } else {
    report.error(listener_path(place) + ".bind",
                 "listeners[].bind: " + listener.bind.text() + " is open to the network" + then);
  }
}

void check_proofs(const Config& config, std::size_t place, Report& report) {
  const Listener& listener = config.listeners[place];
  const std::string path = listener_path(place) + ".authenticate";
  for (const std::string& proof : listener.authenticate) {
    if (std::find(kProofs.begin(), kProofs.end(), proof) == kProofs.end()) {
      report.error(
          path, "listeners[].authenticate: " + in_quotes(proof) + " is not one of: certificate, psk, socket, password");
    }
  }
  const auto check_need = [&](std::string_view proof, bool has, std::string_view need) {
    if (!listener.asks_for(proof) || has) return;
    report.error(path, "listeners[].authenticate: " + std::string(proof) + " needs " + std::string(need) +
                           ", or nobody can connect to " + listener.bind.text());
  };
  check_need("password", !config.access.password_file.empty(), "access.password_file");
  check_need("certificate", !listener.tls.client_ca.empty(), "tls.client_ca");
  check_need("psk", !listener.psk_file.empty(), "psk_file");
  check_need("socket", listener.bind.kind == Bind::Kind::Unix, "a unix socket");
  if (listener.anonymous.value_or(false)) {
    report.error(listener_path(place) + ".anonymous",
                 "listeners[].anonymous: true and listeners[].authenticate contradict each other");
  }
}

}  // namespace

void check_identity(const Config& config, Report& report) {
  const bool refuses_all = !config.access.anonymous.value_or(true) && report.places().is_written("access.anonymous");
  bool is_said = false;
  for (std::size_t place = 0; place < config.listeners.size(); ++place) {
    const Listener& listener = config.listeners[place];
    if (!listener.authenticate.empty()) {
      check_proofs(config, place, report);
      continue;
    }
    if (config.lets_in_anonymous(listener) || can_prove(config, listener)) continue;
    const bool by_default = !listener.anonymous && refuses_all;
    // What follows from another listener was said of that one.
    if (!listener.anonymous && !refuses_all && !is_open_to_the_network(listener)) continue;
    if (!by_default) {
      check_open(config, place, report);
    } else if (!std::exchange(is_said, true)) {
      report.error("access.anonymous",
                   "access.anonymous: false needs access.password_file, or nobody can connect; make one with "
                   "'furrow passwd'");
    }
  }
}

void note_anonymous(const Config& config, Report& report) {
  for (std::size_t place = 0; place < config.listeners.size(); ++place) {
    const Listener& listener = config.listeners[place];
    if (!is_open_to_the_network(listener) || !config.lets_in_anonymous(listener)) continue;
    report.note(listener_path(place) + ".bind", "listeners[].bind: whoever reaches " + listener.bind.text() +
                                                    " gets in without proving who they are (anonymous: true)");
  }
}

}  // namespace furrow::config
