#include "broker-core/mqtt/stranger.h"

#include <array>
#include <string_view>

namespace furrow::mqtt {
namespace {

constexpr const char* kTls = "speaks TLS: this listener takes plain MQTT";
constexpr const char* kHttp = "speaks HTTP: this listener takes plain MQTT";
constexpr const char* kProxy = "speaks the PROXY protocol: this listener takes it with proxy_protocol only";

struct Opening {
  std::string_view bytes;
  const char* what;
};

// None of them is the beginning of another, and no client of MQTT begins with one: of the packets that a client may
// send, "P" could be PUBREC, but not in front of a letter, which would be a length beyond that of every PUBREC.
constexpr std::array kOpenings = {
    Opening{"\x16\x03", kTls},   Opening{"GET ", kHttp},    Opening{"POST ", kHttp},    Opening{"HEAD ", kHttp},
    Opening{"PUT ", kHttp},      Opening{"DELETE ", kHttp}, Opening{"OPTIONS ", kHttp}, Opening{"CONNECT ", kHttp},
    Opening{"PATCH ", kHttp},    Opening{"TRACE ", kHttp},  Opening{"PRI ", kHttp},     Opening{"PROXY ", kProxy},
    Opening{"\r\n\r\n", kProxy},
};

}  // namespace

Stranger judge_stranger(ByteView bytes) {
  const std::string_view begin = as_text(bytes);
  Stranger stranger;
  for (const Opening& opening : kOpenings) {
    if (begin.starts_with(opening.bytes)) return {.what = opening.what};
    stranger.undecided = stranger.undecided || (!begin.empty() && opening.bytes.starts_with(begin));
  }
  return stranger;
}

}  // namespace furrow::mqtt
