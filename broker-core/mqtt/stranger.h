// Peers that speak something else than MQTT, known by their first bytes: TLS, HTTP, the PROXY protocol.
//
//   TLS    := 0x16 0x03 …            a record of a handshake; as a CONNECT it is too short for a protocol name
//   HTTP   := method ' ' …           "GET ", "POST ", …
//   PROXY  := "PROXY " … | 0x0D 0x0A 0x0D 0x0A …   version 1 | 2
//
// The log names the stranger, so that its reader can repair it; the fault of a packet would not tell.
// Spec: RFC 8446 §5.1; RFC 9110 §9.
#pragma once

#include "broker-core/base/bytes.h"

namespace furrow::mqtt {

struct Stranger {
  const char* what = nullptr;  // static text: what it speaks, and what is at fault; nullptr when it may be MQTT
  bool undecided = false;      // `bytes` may yet become one, and are no packet of MQTT until then
};

// The peer whose first bytes are `bytes`, all that have arrived so far.
Stranger judge_stranger(ByteView bytes);

}  // namespace furrow::mqtt
