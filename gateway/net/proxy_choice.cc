#include "gateway/net/proxy_choice.h"

#include <algorithm>
#include <initializer_list>

#include "broker-core/base/ip.h"
#include "gateway/net/http_head.h"

namespace furrow::gateway {
namespace {

using config::Proxy;

struct Variable {
  std::string name;
  std::string value;
};

// The first of these that is set and not empty.
std::optional<Variable> first_set(const config::Environment& environment, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const auto value = environment(name);
    if (value && !value->empty()) return Variable{name, *value};
  }
  return std::nullopt;
}

std::optional<Variable> proxy_variable(const bridge::Address& address, const config::Environment& environment) {
  if (address.is_encrypted()) {
    if (auto found = first_set(environment, {"https_proxy", "HTTPS_PROXY"})) return found;
  }
  return first_set(environment, {"all_proxy", "ALL_PROXY"});
}

bool takes_in(std::string_view entry, std::string_view host) {
  if (entry == "*") return true;
  if (const auto address = IpAddress::parse(host)) {
    const auto network = IpNetwork::parse(entry);
    return network && network->contains(*address);
  }
  if (entry.starts_with('.')) entry.remove_prefix(1);
  if (entry.empty() || entry.size() > host.size()) return false;
  const std::string_view end = host.substr(host.size() - entry.size());
  const bool is_whole_label = end.size() == host.size() || host[host.size() - end.size() - 1] == '.';
  return is_whole_label && equal_without_case(end, entry);
}

}  // namespace

bool is_reached_directly(std::string_view no_proxy, std::string_view host) {
  host = host.substr(0, host.find('%'));
  while (!no_proxy.empty()) {
    const std::string_view entry = no_proxy.substr(0, no_proxy.find_first_of(", "));
    if (takes_in(entry, host)) return true;
    no_proxy.remove_prefix(std::min(entry.size() + 1, no_proxy.size()));
  }
  return false;
}

Result<std::optional<ProxyChoice>> choose_proxy(const Proxy& configured, const bridge::Address& address,
                                                const config::Environment& environment) {
  if (configured.kind == Proxy::Kind::None) return std::optional<ProxyChoice>();
  if (configured.kind != Proxy::Kind::FromEnvironment) return std::optional(ProxyChoice{configured, std::nullopt});
  const auto variable = proxy_variable(address, environment);
  if (!variable) return std::optional<ProxyChoice>();
  const auto exceptions = first_set(environment, {"no_proxy", "NO_PROXY"});
  if (exceptions && is_reached_directly(exceptions->value, address.host)) return std::optional<ProxyChoice>();
  auto read = config::parse_proxy_of_environment(variable->value);
  if (!read) return std::move(read).error().within("proxy: env: " + variable->name);
  return std::optional(ProxyChoice{std::move(read->proxy), std::move(read->password)});
}

}  // namespace furrow::gateway
