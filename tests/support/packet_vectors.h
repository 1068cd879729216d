// Packets written byte by byte from the specifications, with what they say; and packets that nobody may send.
//
// Bytes are as for bytes_from(); `says` is as describe() puts it.
#pragma once

#include <gtest/gtest.h>

#include <cctype>
#include <ostream>
#include <string>

#include "broker-core/mqtt/protocol.h"
#include "broker-core/mqtt/reason_code.h"

namespace furrow::test {

struct PacketVector {
  const char* name;
  mqtt::Role role;  // the receiver
  mqtt::Version version;
  const char* bytes;
  const char* says;
  bool shortest = true;  // whether an encoder writes it so; some packets have a longer form that means the same
};

struct BadPacketVector {
  const char* name;
  mqtt::Role role;
  mqtt::Version version;
  const char* bytes;
  mqtt::ReasonCode reason;
};

// The name of a vector in letters and digits, as a test's name must be: "connect 3.1" is `Connect_3_1`.
template <typename Vector>
std::string name_of(const testing::TestParamInfo<Vector>& info) {
  std::string name = info.param.name;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  name[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(name[0])));
  return name;
}
inline void PrintTo(const PacketVector& vector, std::ostream* out) {
  *out << vector.name;
}
inline void PrintTo(const BadPacketVector& vector, std::ostream* out) {
  *out << vector.name;
}

namespace vectors {

using enum mqtt::Role;
using enum mqtt::Version;

inline constexpr PacketVector kGood[] = {
    // CONNECT
    {"connect 3.1", Server, V3_1, "10 0f 0006 'MQIsdp' 03 02 000a 0001 'c'",
     R"(CONNECT level=3 clean keep_alive=10 client="c")"},
    {"connect 3.1 as a bridge", Server, V3_1, "10 0f 0006 'MQIsdp' 83 00 000a 0001 'c'",
     R"(CONNECT level=3 bridge keep_alive=10 client="c")"},
    {"connect 3.1 without the user name its flags promise", Server, V3_1, "10 0f 0006 'MQIsdp' 03 c2 000a 0001 'c'",
     R"(CONNECT level=3 clean keep_alive=10 client="c")", false},
    {"connect 3.1 without the password its flags promise", Server, V3_1,
     "10 12 0006 'MQIsdp' 03 c2 000a 0001 'c' 0001 'u'",
     R"(CONNECT level=3 clean keep_alive=10 client="c" username="u")", false},
    {"connect 3.1 with flags that it disregards", Server, V3_1, "10 0f 0006 'MQIsdp' 03 3b 000a 0001 'c'",
     R"(CONNECT level=3 clean keep_alive=10 client="c")", false},
    {"connect 3.1.1 without client identifier", Server, V3_1_1, "10 0c 0004 'MQTT' 04 02 003c 0000",
     R"(CONNECT level=4 clean keep_alive=60 client="")"},
    {"connect 3.1.1 as a bridge", Server, V3_1_1, "10 0e 0004 'MQTT' 84 00 003c 0002 'gw'",
     R"(CONNECT level=4 bridge keep_alive=60 client="gw")"},
    {"connect 3.1.1 with everything", Server, V3_1_1,
     "10 1e 0004 'MQTT' 04 f6 ffff 0002 'ab' 0003 'w/t' 0002 00ff 0001 'u' 0002 00 'p'",
     R"(CONNECT level=4 clean keep_alive=65535 client="ab" will("w/t" "\x00\xff" qos=2 retain))"
     R"( username="u" password="\x00p")"},
    {"connect 3.1.1 with an empty user name and password", Server, V3_1_1,
     "10 11 0004 'MQTT' 04 c2 0000 0001 'c' 0000 0000",
     R"(CONNECT level=4 clean keep_alive=0 client="c" username="" password="")"},
    {"connect 5", Server, V5, "10 0d 0004 'MQTT' 05 00 0000 00 0000", R"(CONNECT level=5 keep_alive=0 client="")"},
    {"connect 5 with a password alone", Server, V5, "10 11 0004 'MQTT' 05 42 0000 00 0000 0002 'pw'",
     R"(CONNECT level=5 clean keep_alive=0 client="" password="pw")"},
    {"connect 5 with properties", Server, V5,
     "10 34 0004 'MQTT' 05 02 001e 26 11 00000e10 21 000a 27 00001000 22 0005 19 01 17 00 26 0001 'k' 0001 'v' "
     "15 0002 'SC' 16 0003 010203 0001 'c'",
     R"(CONNECT level=5 clean keep_alive=30 {11=3600 21=10 27=4096 22=5 19=1 17=0 26="k":"v" 15="SC")"
     R"( 16="\x01\x02\x03"})"
     R"( client="c")"},
    {"connect 5 with a will and its properties", Server, V5,
     "10 3d 0004 'MQTT' 05 0e 0000 00 0001 'c' "
     "26 18 0000003c 01 01 02 00000078 03 0004 'text' 08 0003 'r/t' 09 0002 abcd 26 0001 'a' 0002 'bc' "
     "0003 'w/t' 0001 'x'",
     R"(CONNECT level=5 clean keep_alive=0 client="c")"
     R"( will("w/t" "x" qos=1 {18=60 01=1 02=120 03="text" 08="r/t" 09="\xab\xcd" 26="a":"bc"}))"},

    // CONNACK
    {"connack 3.1.1", Client, V3_1_1, "20 02 00 00", "CONNACK reason=00"},
    {"connack 3.1.1 with a session", Client, V3_1_1, "20 02 01 00", "CONNACK reason=00 session"},
    {"connack 3.1.1 unacceptable protocol version", Client, V3_1_1, "20 02 00 01", "CONNACK reason=84"},
    {"connack 3.1.1 identifier rejected", Client, V3_1_1, "20 02 00 02", "CONNACK reason=85"},
    {"connack 3.1.1 server unavailable", Client, V3_1_1, "20 02 00 03", "CONNACK reason=88"},
    {"connack 3.1.1 bad user name or password", Client, V3_1_1, "20 02 00 04", "CONNACK reason=86"},
    {"connack 3.1.1 not authorized", Client, V3_1_1, "20 02 00 05", "CONNACK reason=87"},
    {"connack 3.1", Client, V3_1, "20 02 00 00", "CONNACK reason=00"},
    {"connack 5", Client, V5, "20 03 01 00 00", "CONNACK reason=00 session"},
    {"connack 5 refuses", Client, V5, "20 03 00 87 00", "CONNACK reason=87"},
    {"connack of a 3.1.1 server to a client of 5", Client, V5, "20 02 00 01", "CONNACK reason=84", false},
    {"connack 5 with all properties", Client, V5,
     "20 58 00 00 55 11 00000001 21 0002 24 01 25 00 27 00000003 12 0002 'id' 22 0004 1f 0002 'ok' 26 0001 'a' 0001 "
     "'b' "
     "28 00 29 00 2a 01 13 0005 1a 0004 'info' 1c 0005 'other' 15 0005 'SCRAM' 16 0001 ff 26 0001 'a' 0001 'c' "
     "26 0000 0000",
     R"(CONNACK reason=00 {11=1 21=2 24=1 25=0 27=3 12="id" 22=4 1f="ok" 26="a":"b" 28=0 29=0 2a=1 13=5 1a="info")"
     R"( 1c="other" 15="SCRAM" 16="\xff" 26="a":"c" 26="":""})"},

    // PUBLISH
    {"publish at QoS 0", Server, V3_1_1, "30 07 0003 'a/b' 'hi'", R"(PUBLISH "a/b" "hi" qos=0 id=0)"},
    {"publish without payload", Server, V3_1_1, "30 05 0003 'a/b'", R"(PUBLISH "a/b" "" qos=0 id=0)"},
    {"publish retained", Client, V3_1_1, "31 06 0003 'a/b' 'x'", R"(PUBLISH "a/b" "x" qos=0 id=0 retain)"},
    {"publish at QoS 1", Server, V3_1, "32 08 0003 'a/b' 000a 'x'", R"(PUBLISH "a/b" "x" qos=1 id=10)"},
    {"publish again at QoS 2, retained", Server, V3_1_1, "3d 08 0003 'a/b' ffff 'x'",
     R"(PUBLISH "a/b" "x" qos=2 id=65535 retain dup)"},
    {"publish to a topic that is not ASCII", Server, V3_1_1, "30 0e 000c 'gr' c3bc c39f 'e/' f09f8cbe",
     R"(PUBLISH "gr\xc3\xbc\xc3\x9fe/\xf0\x9f\x8c\xbe" "" qos=0 id=0)"},
    {"publish 5", Server, V5, "30 07 0003 'a/b' 00 'x'", R"(PUBLISH "a/b" "x" qos=0 id=0)"},
    {"publish 5 with an alias for its topic", Server, V5, "32 09 0000 0001 03 23 0007 'x'",
     R"(PUBLISH "" "x" qos=1 id=1 {23=7})"},
    {"publish 5 with the properties of a client", Server, V5,
     "34 2b 0001 't' 0002 24 01 01 02 00000009 03 0001 'c' 08 0001 'r' 09 0001 00 23 0001 26 0001 'n' 0001 'v' "
     "26 0001 'n' 0001 'v' 'p'",
     R"(PUBLISH "t" "p" qos=2 id=2 {01=1 02=9 03="c" 08="r" 09="\x00" 23=1 26="n":"v" 26="n":"v"})"},
    {"publish 5 with the subscription identifiers of a server", Client, V5, "30 0d 0001 't' 09 0b 01 0b ffffff7f 0b 01",
     R"(PUBLISH "t" "" qos=0 id=0 {0b=1 0b=268435455 0b=1})"},

    // PUBACK, PUBREC, PUBREL, PUBCOMP
    {"puback", Server, V3_1_1, "40 02 0001", "PUBACK id=1 reason=00"},
    {"pubrec", Client, V3_1_1, "50 02 0100", "PUBREC id=256 reason=00"},
    {"pubrel", Server, V3_1_1, "62 02 0001", "PUBREL id=1 reason=00"},
    {"pubrel 3.1 again", Server, V3_1, "6a 02 0001", "PUBREL id=1 reason=00", false},
    {"pubcomp", Client, V3_1, "70 02 ffff", "PUBCOMP id=65535 reason=00"},
    {"puback 5 without reason", Server, V5, "40 02 0001", "PUBACK id=1 reason=00"},
    {"puback 5 with success written out", Server, V5, "40 03 0001 00", "PUBACK id=1 reason=00", false},
    {"puback 5 with a reason", Client, V5, "40 03 0001 97", "PUBACK id=1 reason=97"},
    {"puback 5 with an empty property list", Client, V5, "40 04 0001 10 00", "PUBACK id=1 reason=10", false},
    {"puback 5 with properties", Client, V5, "40 11 0001 00 0d 1f 0003 'why' 26 0001 'a' 0001 'b'",
     R"(PUBACK id=1 reason=00 {1f="why" 26="a":"b"})"},
    {"pubrec 5 with a reason", Server, V5, "50 03 0001 91", "PUBREC id=1 reason=91"},
    {"pubrel 5 with a reason", Server, V5, "62 03 0001 92", "PUBREL id=1 reason=92"},
    {"pubcomp 5 with properties", Server, V5, "70 08 0001 92 04 1f 0001 'x'", R"(PUBCOMP id=1 reason=92 {1f="x"})"},

    // SUBSCRIBE, SUBACK
    {"subscribe", Server, V3_1_1, "82 0e 000a 0003 'a/b' 01 0003 'c/d' 02",
     R"(SUBSCRIBE id=10 "a/b" qos=1 handling=0 "c/d" qos=2 handling=0)"},
    {"subscribe 3.1 again", Server, V3_1, "8a 06 0001 0001 '#' 00", R"(SUBSCRIBE id=1 "#" qos=0 handling=0)", false},
    {"subscribe to a filter that only the broker may judge", Server, V3_1_1, "82 08 0001 0003 'a#b' 00",
     R"(SUBSCRIBE id=1 "a#b" qos=0 handling=0)"},
    {"subscribe to an empty filter, which only the broker may judge", Server, V3_1_1, "82 05 0001 0000 00",
     R"(SUBSCRIBE id=1 "" qos=0 handling=0)"},
    {"subscribe 5 with options", Server, V5, "82 0b 0001 00 0001 'a' 2e 0001 'b' 11",
     R"(SUBSCRIBE id=1 "a" qos=2 no_local as_published handling=2 "b" qos=1 handling=1)"},
    {"subscribe 5 to a shared filter", Server, V5, "82 10 0001 00 000a '$share/g/c' 08",
     R"(SUBSCRIBE id=1 "$share/g/c" qos=0 as_published handling=0)"},
    {"subscribe 5 with properties", Server, V5, "82 11 0001 0a 0b 80 01 26 0001 'k' 0001 'v' 0001 'a' 00",
     R"(SUBSCRIBE id=1 {0b=128 26="k":"v"} "a" qos=0 handling=0)"},
    {"suback", Client, V3_1_1, "90 06 000a 00 01 02 80", "SUBACK id=10 reason=00 reason=01 reason=02 reason=80"},
    {"suback 5", Client, V5, "90 05 0001 00 02 8f", "SUBACK id=1 reason=02 reason=8f"},
    {"suback 5 with properties", Client, V5, "90 08 0001 04 1f 0001 'x' 87", R"(SUBACK id=1 {1f="x"} reason=87)"},

    // UNSUBSCRIBE, UNSUBACK
    {"unsubscribe", Server, V3_1_1, "a2 0c 0001 0003 'a/b' 0003 '+/#'", R"(UNSUBSCRIBE id=1 "a/b" "+/#")"},
    {"unsubscribe 3.1 again", Server, V3_1, "aa 05 0001 0001 'a'", R"(UNSUBSCRIBE id=1 "a")", false},
    {"unsubscribe 5", Server, V5, "a2 0d 0001 07 26 0001 'k' 0001 'v' 0001 'a'",
     R"(UNSUBSCRIBE id=1 {26="k":"v"} "a")"},
    {"unsuback", Client, V3_1_1, "b0 02 0001", "UNSUBACK id=1"},
    {"unsuback 5", Client, V5, "b0 05 0001 00 00 11", "UNSUBACK id=1 reason=00 reason=11"},

    // PINGREQ, PINGRESP, DISCONNECT, AUTH
    {"pingreq", Server, V3_1_1, "c0 00", "PINGREQ"},
    {"pingresp", Client, V5, "d0 00", "PINGRESP"},
    {"disconnect", Server, V3_1_1, "e0 00", "DISCONNECT reason=00"},
    {"disconnect 5", Server, V5, "e0 00", "DISCONNECT reason=00"},
    {"disconnect 5 of a server", Client, V5, "e0 00", "DISCONNECT reason=00"},
    {"disconnect 5 with normal written out", Server, V5, "e0 01 00", "DISCONNECT reason=00", false},
    {"disconnect 5 with an empty property list", Server, V5, "e0 02 04 00", "DISCONNECT reason=04", false},
    {"disconnect 5 with the will", Server, V5, "e0 01 04", "DISCONNECT reason=04"},
    {"disconnect 5 because taken over", Client, V5, "e0 01 8e", "DISCONNECT reason=8e"},
    {"disconnect 5 with a session expiry", Server, V5, "e0 07 00 05 11 00000000", "DISCONNECT reason=00 {11=0}"},
    {"disconnect 5 with properties", Client, V5, "e0 0f 9c 0d 1c 0003 'b:1' 1f 0004 'full'",
     R"(DISCONNECT reason=9c {1c="b:1" 1f="full"})"},
    {"auth success", Client, V5, "f0 00", "AUTH reason=00"},
    {"auth continue", Server, V5, "f0 0a 18 08 15 0001 'S' 16 0001 00", R"(AUTH reason=18 {15="S" 16="\x00"})"},
    {"auth again", Server, V5, "f0 06 19 04 15 0001 'S'", R"(AUTH reason=19 {15="S"})"},
};

using enum mqtt::ReasonCode;

inline constexpr BadPacketVector kBad[] = {
    // Fixed header
    {"type 0", Server, V3_1_1, "00 00", MalformedPacket},
    {"remaining length of five bytes", Server, V3_1_1, "30 80 80 80 80 01", MalformedPacket},
    {"remaining length longer than needed", Server, V5, "c0 80 00", MalformedPacket},
    {"flags of CONNECT", Server, V3_1_1, "11 0c 0004 'MQTT' 04 02 003c 0000", MalformedPacket},
    {"line end in a client identifier", Server, V3_1_1, "10 0f 0004 'MQTT' 04 02 003c 0003 61 0a 62", MalformedPacket},
    {"escape in a client identifier", Server, V5, "10 0f 0004 'MQTT' 05 02 003c 00 0002 1b 'c'", MalformedPacket},
    {"U+0085 in a client identifier", Server, V3_1_1, "10 0e 0004 'MQTT' 04 02 003c 0002 c2 85", MalformedPacket},
    {"delete in a user name", Server, V3_1_1, "10 10 0004 'MQTT' 04 82 003c 0001 'c' 0001 7f", MalformedPacket},
    {"flags of CONNACK", Client, V3_1_1, "22 02 00 00", MalformedPacket},
    {"flags of PUBACK", Server, V3_1_1, "41 02 0001", MalformedPacket},
    {"flags of PUBREC", Server, V5, "52 02 0001", MalformedPacket},
    {"flags of PUBREL missing", Server, V3_1_1, "60 02 0001", MalformedPacket},
    {"flags of PUBREL with DUP", Server, V3_1_1, "6a 02 0001", MalformedPacket},
    {"flags of PUBREL in 3.1 beyond DUP", Server, V3_1, "63 02 0001", MalformedPacket},
    {"flags of PUBCOMP", Server, V5, "74 02 0001", MalformedPacket},
    {"flags of SUBSCRIBE missing", Server, V3_1_1, "80 06 0001 0001 'a' 00", MalformedPacket},
    {"flags of SUBSCRIBE with DUP", Server, V5, "8a 07 0001 00 0001 'a' 00", MalformedPacket},
    {"flags of SUBACK", Client, V3_1_1, "92 03 0001 00", MalformedPacket},
    {"flags of UNSUBSCRIBE missing", Server, V3_1_1, "a0 05 0001 0001 'a'", MalformedPacket},
    {"flags of UNSUBACK", Client, V3_1_1, "b1 02 0001", MalformedPacket},
    {"flags of PINGREQ", Server, V3_1_1, "c1 00", MalformedPacket},
    {"flags of PINGRESP", Client, V3_1_1, "d8 00", MalformedPacket},
    {"flags of DISCONNECT", Server, V5, "e1 00", MalformedPacket},
    {"flags of AUTH", Server, V5, "f1 06 19 04 15 0001 'S'", MalformedPacket},

    // Direction
    {"CONNACK to a server", Server, V5, "20 03 00 00 00", ProtocolError},
    {"SUBACK to a server", Server, V3_1_1, "90 03 0001 00", ProtocolError},
    {"UNSUBACK to a server", Server, V3_1_1, "b0 02 0001", ProtocolError},
    {"PINGRESP to a server", Server, V3_1_1, "d0 00", ProtocolError},
    {"CONNECT to a client", Client, V3_1_1, "10 0c 0004 'MQTT' 04 02 003c 0000", ProtocolError},
    {"SUBSCRIBE to a client", Client, V3_1_1, "82 06 0001 0001 'a' 00", ProtocolError},
    {"UNSUBSCRIBE to a client", Client, V3_1_1, "a2 05 0001 0001 'a'", ProtocolError},
    {"PINGREQ to a client", Client, V3_1_1, "c0 00", ProtocolError},
    {"DISCONNECT to a client before 5", Client, V3_1_1, "e0 00", ProtocolError},
    {"AUTH before 5", Server, V3_1_1, "f0 00", MalformedPacket},

    // CONNECT
    {"connect without a body", Server, V3_1_1, "10 00", MalformedPacket},
    {"connect that ends in the protocol name", Server, V3_1_1, "10 04 0004 'MQ'", MalformedPacket},
    {"connect without level", Server, V3_1_1, "10 06 0004 'MQTT'", MalformedPacket},
    {"connect without flags", Server, V3_1_1, "10 07 0004 'MQTT' 04", MalformedPacket},
    {"connect that ends in keep alive", Server, V3_1_1, "10 09 0004 'MQTT' 04 02 00", MalformedPacket},
    {"connect without client identifier", Server, V3_1_1, "10 0a 0004 'MQTT' 04 02 003c", MalformedPacket},
    {"connect with an unknown protocol name", Server, V3_1_1, "10 0c 0004 'MQTX' 04 02 003c 0000",
     UnsupportedProtocolVersion},
    {"connect with level 6", Server, V5, "10 0d 0004 'MQTT' 06 02 003c 00 0000", UnsupportedProtocolVersion},
    {"connect MQTT with level 3", Server, V3_1_1, "10 0c 0004 'MQTT' 03 02 003c 0000", UnsupportedProtocolVersion},
    {"connect MQIsdp with level 4", Server, V3_1_1, "10 0e 0006 'MQIsdp' 04 02 003c 0000", UnsupportedProtocolVersion},
    {"connect 5 with the bridge bit", Server, V5, "10 0d 0004 'MQTT' 85 02 003c 00 0000", UnsupportedProtocolVersion},
    {"connect with level 0", Server, V3_1_1, "10 0c 0004 'MQTT' 00 02 003c 0000", UnsupportedProtocolVersion},
    {"connect with the reserved flag", Server, V3_1_1, "10 0c 0004 'MQTT' 04 03 003c 0000", MalformedPacket},
    {"connect 5 with the reserved flag", Server, V5, "10 0d 0004 'MQTT' 05 03 003c 00 0000", MalformedPacket},
    {"connect with will QoS but no will", Server, V3_1_1, "10 0c 0004 'MQTT' 04 0a 003c 0000", MalformedPacket},
    {"connect with will retain but no will", Server, V5, "10 0d 0004 'MQTT' 05 22 003c 00 0000", MalformedPacket},
    {"connect with will QoS 3", Server, V3_1_1, "10 12 0004 'MQTT' 04 1e 003c 0000 0001 'w' 0001 'x'", MalformedPacket},
    {"connect 3.1 with will QoS 3", Server, V3_1, "10 14 0006 'MQIsdp' 03 1e 003c 0000 0001 'w' 0001 'x'",
     MalformedPacket},
    {"connect 3.1.1 with a password alone", Server, V3_1_1, "10 10 0004 'MQTT' 04 42 003c 0000 0002 'pw'",
     MalformedPacket},
    {"connect 3.1 with a password alone", Server, V3_1, "10 12 0006 'MQIsdp' 03 42 003c 0000 0002 'pw'",
     MalformedPacket},
    {"connect without the will it announces", Server, V3_1_1, "10 0c 0004 'MQTT' 04 06 003c 0000", MalformedPacket},
    {"connect without the will payload", Server, V3_1_1, "10 0f 0004 'MQTT' 04 06 003c 0000 0001 'w'", MalformedPacket},
    {"connect without the user name it announces", Server, V3_1_1, "10 0c 0004 'MQTT' 04 82 003c 0000",
     MalformedPacket},
    {"connect without the password it announces", Server, V3_1_1, "10 0f 0004 'MQTT' 04 c2 003c 0000 0001 'u'",
     MalformedPacket},
    {"connect 3.1 that ends in the user name", Server, V3_1, "10 0f 0006 'MQIsdp' 03 82 003c 0000 00", MalformedPacket},
    {"connect with bytes behind it", Server, V3_1_1, "10 0d 0004 'MQTT' 04 02 003c 0000 00", MalformedPacket},
    {"connect with a user name that no flag announces", Server, V3_1_1, "10 0f 0004 'MQTT' 04 02 003c 0000 0001 'u'",
     MalformedPacket},
    {"connect with a client identifier that is not UTF-8", Server, V3_1_1, "10 0d 0004 'MQTT' 04 02 003c 0001 ff",
     MalformedPacket},
    {"connect with U+0000 in the client identifier", Server, V3_1_1, "10 0d 0004 'MQTT' 04 02 003c 0001 00",
     MalformedPacket},
    {"connect with a user name that is not UTF-8", Server, V3_1_1, "10 10 0004 'MQTT' 04 82 003c 0000 0002 c080",
     MalformedPacket},
    {"connect with a will topic that is not UTF-8", Server, V3_1_1, "10 11 0004 'MQTT' 04 06 003c 0000 0001 80 0000",
     MalformedPacket},
    {"connect with a wildcard in the will topic", Server, V3_1_1, "10 12 0004 'MQTT' 04 06 003c 0000 0002 'a+' 0000",
     TopicNameInvalid},
    {"connect with an empty will topic", Server, V5, "10 12 0004 'MQTT' 05 06 003c 00 0000 00 0000 0000",
     TopicNameInvalid},
    {"connect 5 without a property length", Server, V5, "10 0a 0004 'MQTT' 05 02 003c", MalformedPacket},
    {"connect 5 with properties past its end", Server, V5, "10 0d 0004 'MQTT' 05 02 003c 03 2100", MalformedPacket},
    {"connect 5 with a receive maximum of zero", Server, V5, "10 10 0004 'MQTT' 05 02 003c 03 21 0000 0000",
     ProtocolError},
    {"connect 5 with a property of PUBLISH", Server, V5, "10 10 0004 'MQTT' 05 02 003c 03 23 0001 0000",
     MalformedPacket},
    {"connect 5 with authentication data alone", Server, V5, "10 11 0004 'MQTT' 05 02 003c 04 16 0001 00 0000",
     ProtocolError},
    {"connect 5 with a will property of CONNECT", Server, V5,
     "10 16 0004 'MQTT' 05 06 003c 00 0000 03 21 0001 0001 'w' 0000", MalformedPacket},

    // CONNACK
    {"connack without a code", Client, V3_1_1, "20 01 00", MalformedPacket},
    {"connack 3.1.1 with three bytes", Client, V3_1_1, "20 03 00 00 00", MalformedPacket},
    {"connack with a reserved flag", Client, V3_1_1, "20 02 02 00", MalformedPacket},
    {"connack 5 with a reserved flag", Client, V5, "20 03 80 00 00", MalformedPacket},
    {"connack 3.1.1 with a reserved code", Client, V3_1_1, "20 02 00 06", MalformedPacket},
    {"connack refusing with a session", Client, V3_1_1, "20 02 01 05", ProtocolError},
    {"connack 5 refusing with a session", Client, V5, "20 03 01 87 00", ProtocolError},
    {"connack 5 with a reason of SUBACK", Client, V5, "20 03 00 02 00", ProtocolError},
    {"connack 5 with success but no property length", Client, V5, "20 02 00 00", MalformedPacket},
    {"connack 5 with bytes behind it", Client, V5, "20 04 00 00 00 00", MalformedPacket},
    {"connack 5 with maximum QoS 2", Client, V5, "20 05 00 00 02 24 02", ProtocolError},

    // PUBLISH
    {"publish with QoS 3", Server, V3_1_1, "36 06 0001 'a' 0001 'x'", MalformedPacket},
    {"publish again at QoS 0", Server, V3_1_1, "38 03 0001 'a'", MalformedPacket},
    {"publish without a body", Server, V3_1_1, "30 00", MalformedPacket},
    {"publish with a topic past its end", Server, V3_1_1, "30 04 0003 'ab'", MalformedPacket},
    {"publish without packet identifier", Server, V3_1_1, "32 03 0001 'a'", MalformedPacket},
    {"publish with half a packet identifier", Server, V5, "32 04 0001 'a' 00", MalformedPacket},
    {"publish with packet identifier 0", Server, V3_1_1, "32 05 0001 'a' 0000", ProtocolError},
    {"publish without topic", Server, V3_1_1, "30 02 0000", MalformedPacket},
    {"publish 5 without topic and alias", Server, V5, "30 03 0000 00", ProtocolError},
    {"publish to a short topic with a plus", Server, V3_1_1, "30 03 0001 '+'", TopicNameInvalid},
    {"publish to a topic with a hash at its end", Server, V5, "30 0d 000a 'farm/one/#' 00", TopicNameInvalid},
    {"publish to a topic with a plus within", Client, V5, "30 07 0004 'ab+c' 00", TopicNameInvalid},
    {"publish to a topic that is not UTF-8", Server, V3_1_1, "30 0b 0009 'farm/one' ff", MalformedPacket},
    {"publish to a topic with U+0000", Server, V3_1_1, "30 0b 0009 'farm' 00 '/one'", MalformedPacket},
    {"publish to a topic with a surrogate", Server, V5, "30 06 0003 eda080 00", MalformedPacket},
    {"publish 5 without a property length", Server, V5, "30 03 0001 'a'", MalformedPacket},
    {"publish 5 with a property length longer than needed", Server, V5, "30 05 0001 'a' 80 00", MalformedPacket},
    {"publish 5 with a property length of five bytes", Server, V5, "30 08 0001 'a' 80 80 80 80 01", MalformedPacket},
    {"publish 5 with properties past its end", Server, V5, "30 05 0001 'a' 02 01", MalformedPacket},
    {"publish 5 with alias 0", Server, V5, "30 07 0001 'a' 03 23 0000", TopicAliasInvalid},
    {"publish 5 with two aliases", Server, V5, "30 0a 0001 'a' 06 23 0001 23 0001", ProtocolError},
    {"publish 5 with payload format 2", Server, V5, "30 06 0001 'a' 02 01 02", ProtocolError},
    {"publish 5 with a wildcard in the response topic", Server, V5, "30 09 0001 'a' 05 08 0002 'b#'", ProtocolError},
    {"publish 5 with an empty response topic", Server, V5, "30 07 0001 'a' 03 08 0000", ProtocolError},
    {"publish 5 with the subscription identifier of a client", Server, V5, "30 06 0001 'a' 02 0b 01", ProtocolError},
    {"publish 5 with subscription identifier 0", Client, V5, "30 06 0001 'a' 02 0b 00", ProtocolError},
    {"publish 5 with an unknown property", Server, V5, "30 06 0001 'a' 02 04 00", MalformedPacket},

    // PUBACK, PUBREC, PUBREL, PUBCOMP
    {"puback without a body", Server, V3_1_1, "40 00", MalformedPacket},
    {"puback with one byte", Server, V5, "40 01 00", MalformedPacket},
    {"puback with packet identifier 0", Server, V3_1_1, "40 02 0000", ProtocolError},
    {"puback 3.1.1 with a reason", Server, V3_1_1, "40 03 0001 00", MalformedPacket},
    {"pubcomp 3.1 with a reason", Server, V3_1, "70 03 0001 00", MalformedPacket},
    {"puback 5 with a reason of PUBREL", Server, V5, "40 03 0001 92", ProtocolError},
    {"pubrec 5 with a reason of DISCONNECT", Server, V5, "50 03 0001 8e", ProtocolError},
    {"pubrel 5 with a reason of PUBACK", Server, V5, "62 03 0001 10", ProtocolError},
    {"pubcomp 5 with an unknown reason", Server, V5, "70 03 0001 05", ProtocolError},
    {"puback 5 with properties past its end", Server, V5, "40 05 0001 00 02 1f", MalformedPacket},
    {"puback 5 with bytes behind it", Server, V5, "40 05 0001 00 00 00", MalformedPacket},
    {"puback 5 with a property of PUBLISH", Server, V5, "40 06 0001 00 02 01 00", MalformedPacket},

    // SUBSCRIBE, SUBACK
    {"subscribe without a filter", Server, V3_1_1, "82 02 0001", ProtocolError},
    {"subscribe 5 without a filter", Server, V5, "82 03 0001 00", ProtocolError},
    {"subscribe with packet identifier 0", Server, V3_1_1, "82 06 0000 0001 'a' 00", ProtocolError},
    {"subscribe without options", Server, V3_1_1, "82 05 0001 0001 'a'", MalformedPacket},
    {"subscribe with a filter past its end", Server, V3_1_1, "82 06 0001 0003 'ab'", MalformedPacket},
    {"subscribe with a filter that is not UTF-8", Server, V3_1_1, "82 06 0001 0001 80 00", MalformedPacket},
    {"subscribe with a second request cut short", Server, V3_1_1, "82 08 0001 0001 'a' 00 0001", MalformedPacket},
    {"subscribe 3.1.1 at QoS 3", Server, V3_1_1, "82 06 0001 0001 'a' 03", MalformedPacket},
    {"subscribe 3.1.1 with an option of 5", Server, V3_1_1, "82 06 0001 0001 'a' 04", MalformedPacket},
    {"subscribe 5 at QoS 3", Server, V5, "82 07 0001 00 0001 'a' 03", ProtocolError},
    {"subscribe 5 with retain handling 3", Server, V5, "82 07 0001 00 0001 'a' 30", ProtocolError},
    {"subscribe 5 with reserved bit 6", Server, V5, "82 07 0001 00 0001 'a' 40", MalformedPacket},
    {"subscribe 5 with reserved bit 7", Server, V5, "82 07 0001 00 0001 'a' 80", MalformedPacket},
    {"subscribe 5 with no local on a shared filter", Server, V5, "82 10 0001 00 000a '$share/g/c' 04", ProtocolError},
    {"subscribe 5 with subscription identifier 0", Server, V5, "82 09 0001 02 0b 00 0001 'a' 00", ProtocolError},
    {"subscribe 5 with two subscription identifiers", Server, V5, "82 0b 0001 04 0b 01 0b 02 0001 'a' 00",
     ProtocolError},
    {"suback without reasons", Client, V3_1_1, "90 02 0001", MalformedPacket},
    {"suback 5 without reasons", Client, V5, "90 03 0001 00", MalformedPacket},
    {"suback 3.1.1 with a reserved code", Client, V3_1_1, "90 03 0001 03", ProtocolError},
    {"suback 3.1.1 with a reason of 5", Client, V3_1_1, "90 03 0001 87", ProtocolError},
    {"suback 5 with an unknown reason", Client, V5, "90 04 0001 00 03", ProtocolError},

    // UNSUBSCRIBE, UNSUBACK
    {"unsubscribe without a filter", Server, V3_1_1, "a2 02 0001", ProtocolError},
    {"unsubscribe 5 without a filter", Server, V5, "a2 03 0001 00", ProtocolError},
    {"unsubscribe with packet identifier 0", Server, V3_1_1, "a2 05 0000 0001 'a'", ProtocolError},
    {"unsubscribe with a filter that is not UTF-8", Server, V3_1_1, "a2 05 0001 0001 fe", MalformedPacket},
    {"unsubscribe with half a filter", Server, V3_1_1, "a2 03 0001 00", MalformedPacket},
    {"unsubscribe 5 with a reason string", Server, V5, "a2 0a 0001 04 1f 0001 'x' 0001 'a'", MalformedPacket},
    {"unsuback 3.1.1 with reasons", Client, V3_1_1, "b0 03 0001 00", MalformedPacket},
    {"unsuback 5 without reasons", Client, V5, "b0 03 0001 00", MalformedPacket},
    {"unsuback 5 with a reason of SUBACK", Client, V5, "b0 04 0001 00 01", ProtocolError},

    // PINGREQ, PINGRESP, DISCONNECT, AUTH
    {"pingreq with a body", Server, V3_1_1, "c0 01 00", MalformedPacket},
    {"pingresp with a body", Client, V5, "d0 01 00", MalformedPacket},
    {"disconnect 3.1.1 with a body", Server, V3_1_1, "e0 01 00", MalformedPacket},
    {"disconnect 5 with a reason of servers", Server, V5, "e0 01 8e", ProtocolError},
    {"disconnect 5 with a reason of clients", Client, V5, "e0 01 04", ProtocolError},
    {"disconnect 5 with an unknown reason", Server, V5, "e0 01 05", ProtocolError},
    {"disconnect 5 with a reason of CONNACK", Client, V5, "e0 01 84", ProtocolError},
    {"disconnect 5 of a server with a session expiry", Client, V5, "e0 07 00 05 11 00000000", ProtocolError},
    {"disconnect 5 with bytes behind it", Server, V5, "e0 03 00 00 00", MalformedPacket},
    {"disconnect 5 with properties past its end", Server, V5, "e0 02 00 05", MalformedPacket},
    {"auth success of a client", Server, V5, "f0 00", ProtocolError},
    {"auth again of a server", Client, V5, "f0 06 19 04 15 0001 'S'", ProtocolError},
    {"auth with an unknown reason", Server, V5, "f0 06 1a 04 15 0001 'S'", ProtocolError},
    {"auth without property length", Server, V5, "f0 01 18", MalformedPacket},
    {"auth without a method", Server, V5, "f0 02 18 00", ProtocolError},
    {"auth with bytes behind it", Server, V5, "f0 07 18 04 15 0001 'S' 00", MalformedPacket},
};

}  // namespace vectors
}  // namespace furrow::test
