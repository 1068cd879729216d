// Any bytes as a password file: no crash, an error names a line that is there, and what is read is written as the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "broker-core/base/check.h"
#include "gateway/identity/users.h"

namespace furrow::gateway {
namespace {

std::string written(const Users& users) {
  std::string text;
  users.for_each([&](const std::string& user, const PasswordHash& hash) { text += user + ":" + hash.text() + "\n"; });
  return text;
}

void run(std::string_view input) {
  const Result<Users> users = Users::parse(input, "f");
  if (!users) {
    const std::string& message = users.error().message();
    FURROW_CHECK(message.starts_with("f:"));
    const auto lines = static_cast<unsigned long>(std::count(input.begin(), input.end(), '\n')) + 1;
    FURROW_CHECK(std::stoul(message.substr(2)) <= lines);
    FURROW_CHECK(std::none_of(message.begin(), message.end(), [](char one) { return one >= 0 && one < 0x20; }));
    return;
  }
  const std::string once = written(*users);
  const Result<Users> again = Users::parse(once, "f");
  FURROW_CHECK(again.has_value());
  FURROW_CHECK(again->size() == users->size());
  FURROW_CHECK(written(*again) == once);
}

}  // namespace
}  // namespace furrow::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  furrow::gateway::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
