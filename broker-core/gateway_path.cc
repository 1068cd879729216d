#include "broker-core/gateway_path.h"

#include <algorithm>
#include <utility>

#include "broker-core/message_id.h"

namespace furrow::broker {

namespace {

// Of as many gateways as a limit may allow, and then two more.
constexpr std::size_t kPathBytesMax = 260 * (kGatewayBytesMax + 1);
constexpr char kSeparator = '/';

// The last gateway of the path.
std::string_view last_of(std::string_view path) {
  const std::size_t slash = path.rfind(kSeparator);
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

// The path without its last gateway; empty when it has one only.
std::string_view before_last(std::string_view path) {
  const std::size_t slash = path.rfind(kSeparator);
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

void add(std::string& path, std::string_view gateway) {
  if (!path.empty()) path += kSeparator;
  path += gateway;
}

}  // namespace

std::string_view user_property(mqtt::PropertyView properties, std::string_view name) {
  for (const mqtt::Property& property : properties) {
    if (property.id == mqtt::PropertyId::UserProperty && property.name == name) return property.text;
  }
  return {};
}

std::string_view gateway_of(mqtt::PropertyView connect) {
  const std::string_view said = user_property(connect, kGatewayProperty);
  return is_gateway_id(said) ? said : std::string_view();
}

mqtt::PropertyView passed_on(mqtt::PropertyView publish, std::string_view from, std::string_view own, ByteBuffer& out) {
  std::string path(path_of(publish));
  if (path.size() > kPathBytesMax) return publish;
  if (!from.empty() && last_of(path) != from) add(path, from);
  add(path, own);
  ByteBuffer changed;
  for (const mqtt::Property& property : publish) {
    const bool is_path = property.id == mqtt::PropertyId::UserProperty && property.name == kPathProperty;
    if (!is_path) changed.append(property.encoded);
  }
  mqtt::PropertyWriter(changed).user(kPathProperty, path);
  out = std::move(changed);
  return mqtt::PropertyView::from_valid(out.view());
}

std::size_t hops(std::string_view path) {
  if (path.size() > kPathBytesMax) return path.size();
  return path.empty() ? 0 : 1 + static_cast<std::size_t>(std::ranges::count(path, kSeparator));
}

bool has_circled(std::string_view path, std::string_view gateway) {
  for (std::string_view rest = last_of(path) == gateway ? before_last(path) : path; !rest.empty();
       rest = before_last(rest)) {
    if (last_of(rest) == gateway) return true;
  }
  return false;
}

}  // namespace furrow::broker
