#include "gateway/gateway_id.h"

#include <array>
#include <cstdio>

#include "gateway/clock.h"
#include "gateway/process.h"
#include "gateway/text_file.h"

namespace furrow::gateway {
namespace {

constexpr std::string_view kMetaKey = "gateway_id";

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_';
}

}  // namespace

std::string make_gateway_id(std::string_view host_name, std::string_view machine_id) {
  std::string id(host_name);
  for (char& c : id) {
    if (!is_plain(c)) c = '-';
  }
  std::array<char, 8> digits{};
  std::snprintf(digits.data(), digits.size(), "-%06x", static_cast<unsigned>(hash_text(machine_id) & 0xFFFFFFU));
  return id + digits.data();
}

std::string gateway_id_of_machine() {
  const auto machine = read_first_line("/etc/machine-id");
  return make_gateway_id(host_name(), machine ? *machine : "");
}

Result<std::string> gateway_id(const std::string& configured, SqliteStore& store) {
  if (!configured.empty()) return configured;
  FURROW_TRY(const std::optional<std::string> kept, store.meta(kMetaKey));
  if (kept) return *kept;
  const std::string id = gateway_id_of_machine();
  FURROW_TRY_STATUS(store.set_meta(kMetaKey, id));
  return id;
}

}  // namespace furrow::gateway
