#include "bridge/stamps.h"

#include "broker-core/base/utc_text.h"

namespace furrow::bridge {

namespace {

using mqtt::Property;
using mqtt::PropertyId;
using mqtt::PropertyView;

bool has(const ByteBuffer& properties, std::string_view name) {
  for (const Property& property : PropertyView::from_valid(properties.view())) {
    if (property.id == PropertyId::UserProperty && property.name == name) return true;
  }
  return false;
}

void add(ByteBuffer& properties, std::string_view name, std::string_view value) {
  if (!has(properties, name)) mqtt::PropertyWriter(properties).user(name, value);
}

}  // namespace

UserProperties::UserProperties(const std::vector<UserProperty>& properties) {
  ByteBuffer encoded;
  mqtt::PropertyWriter writer(encoded);
  for (const auto& [name, value] : properties) writer.user(name, value);
  encoded_.assign(encoded.view().begin(), encoded.view().end());
}

void UserProperties::add_to(ByteBuffer& out) const {
  for (const Property& property : PropertyView::from_valid(encoded_)) {
    if (!has(out, property.name)) out.append(property.encoded);
  }
}

void add_stamp(const StampOptions& options, const Stamp& stamp, ByteBuffer& out) {
  if (options.received_at && stamp.received) add(out, "received-at", utc_text(*stamp.received));
  if (options.gateway) add(out, "gateway", stamp.gateway);
  if (options.sequence && stamp.number != 0) add(out, "seq", std::to_string(stamp.number));
}

}  // namespace furrow::bridge
