#include "gateway/identity/users.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "broker-core/base/printable.h"
#include "broker-core/mqtt/utf8.h"
#include "gateway/entry_lines.h"

namespace furrow::gateway {
namespace {

constexpr std::size_t kNameBytesMax = 64;        // of a name in a message
constexpr std::size_t kUserBytesMax = 0xFFFF;    // of MQTT
constexpr std::size_t kLineBytesMax = 0x1'1000;  // with its hash

}  // namespace

Result<Users> Users::parse(std::string_view text, std::string_view name) {
  Users users;
  EntryLines lines(text);
  while (const std::optional<std::string_view> entry = lines.next()) {
    const std::string_view line = *entry;
    const auto fault = [&](const std::string& what) {
      return Error(Errc::InvalidArgument, std::string(name) + ":" + std::to_string(lines.number()) + ": " + what);
    };
    const std::size_t colon = line.find(':');
    if (line.size() > kLineBytesMax || colon == std::string_view::npos) {
      return fault("the line is not USER:HASH, as 'furrow passwd' writes it");
    }
    const std::string_view user = line.substr(0, colon);
    const std::string shown = "user '" + printable(user, kNameBytesMax) + "': ";
    if (const std::string_view why = fault_of_name(user); !why.empty()) return fault(shown + std::string(why));
    Result<PasswordHash> hash = PasswordHash::parse(line.substr(colon + 1));
    if (!hash) return fault(shown + hash.error().message());
    if (!users.hashes_.try_emplace(std::string(user), *std::move(hash)).second) {
      return fault(shown + "is there twice; take one of the lines away");
    }
  }
  return users;
}

std::string_view Users::fault_of_name(std::string_view user) {
  if (user.size() > kUserBytesMax) return "the name is too long";
  if (!mqtt::is_valid_utf8(user)) return "the name is not UTF-8";
  if (mqtt::has_control_character(user)) return "the name has a control character in it";
  if (user.find(':') != std::string_view::npos) return "the name has a ':' in it";
  if (user.starts_with('#')) return "a name that begins with '#' would be a comment in the file";
  return {};
}

const PasswordHash* Users::find(std::string_view user) const {
  const auto found = hashes_.find(user);
  return found == hashes_.end() ? nullptr : &found->second;
}

const PasswordHash* Users::any(std::uint64_t number) const {
  if (hashes_.empty()) return nullptr;
  // A walk of ten thousand is nothing beside the hash that follows.
  return &std::next(hashes_.begin(), static_cast<std::ptrdiff_t>(number % hashes_.size()))->second;
}

void Users::set(std::string_view user, PasswordHash hash) {
  hashes_.insert_or_assign(std::string(user), std::move(hash));
}

bool Users::erase(std::string_view user) {
  const auto found = hashes_.find(user);
  if (found == hashes_.end()) return false;
  hashes_.erase(found);
  return true;
}

}  // namespace furrow::gateway
