#include "gateway/net/openssl_time.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>

namespace furrow::gateway {
namespace {

std::time_t seconds(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}

}  // namespace

#if defined(__arm__)
// By the calling convention of ARM a second argument of 32 bits is in register 1, and one of 64 bits in registers 2 and
// 3: all three are filled, and the library takes what it is compiled to take.
void set_verify_time(X509_VERIFY_PARAM& parameters, WallTime time) {
  using SetTime = void (*)(X509_VERIFY_PARAM*, std::int32_t, std::int32_t, std::int32_t);
  const std::int64_t wide = seconds(time);
  const auto narrow = static_cast<std::int32_t>(std::min<std::int64_t>(wide, INT32_MAX));
  const auto set_time = reinterpret_cast<SetTime>(reinterpret_cast<void*>(&X509_VERIFY_PARAM_set_time));
  set_time(&parameters, narrow, static_cast<std::int32_t>(wide), static_cast<std::int32_t>(wide >> 32));
}
#else
void set_verify_time(X509_VERIFY_PARAM& parameters, WallTime time) {
  X509_VERIFY_PARAM_set_time(&parameters, seconds(time));
}
#endif

bool set_certificate_time(ASN1_TIME* field, WallTime time) {
  const std::time_t count = seconds(time);
  std::tm parts = {};
  std::array<char, 32> text{};
  return ::gmtime_r(&count, &parts) != nullptr &&
         std::strftime(text.data(), text.size(), "%Y%m%d%H%M%SZ", &parts) > 0 &&
         ASN1_TIME_set_string_X509(field, text.data()) == 1;
}

}  // namespace furrow::gateway
