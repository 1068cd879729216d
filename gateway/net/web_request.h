// What a browser or a device asks of a listener for WebSocket, and whether it may.
//
//   request                                           answered
//   GET /mqtt with an upgrade to WebSocket            101, when its host and its origin are allowed
//   GET /mqtt without one, or another version of it   426
//   GET or HEAD of anything else                      by whoever knows pages and status: it is a question
//   HEAD of /mqtt                                     405
//   no sub-protocol of MQTT                           400
//   another host, another origin                      403
//
// A page of any web site can make the browser of whoever reads it connect to the gateway in his barn. Browsers say of
// which site the page is, in Origin. So that is compared as a whole: scheme, host and port, with those that are allowed
// and with the listener itself, which Host names. (Host has no scheme; and paho-mqtt says https wherever it connects
// to.) A site can also give its own name the address of the gateway (DNS rebinding), so that the two agree: therefore
// Host has to be a name that nobody else can own. It is looked at where a page of the listener itself asks; always on
// loopback, where no other name can be meant; and in questions, since a page that asks its own site says no Origin.
// Clients that are no browsers send none either. "null" is the origin of files and of pages in a sandbox, anybody's.
//
// A client names `mqtt` or `mqttv3.1` as its sub-protocol [MQTT-6.0.0-3]. One that names none is refused: EMQX does so
// by default, and a program that opens any WebSocket is not always one that means MQTT.
//
// Spec: RFC 6455 §4.2; RFC 6454 §6.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/base/web_origin.h"
#include "gateway/net/http_head.h"
#include "gateway/net/web_question.h"

namespace furrow::gateway {

inline constexpr std::string_view kMqttPath = "/mqtt";

// A listener, as requests are judged by it.
struct WebSite {
  bool is_secure = false;              // TLS lies beneath
  bool is_loopback = true;             // only programs of this machine reach it
  std::vector<std::string> own_names;  // of this machine, beside localhost and addresses
  std::vector<WebOrigin> origins;      // of pages that may connect, beside its own
  bool goes_away = false;              // it is being closed for good: clients are told so
};

struct WebSocketRequest {
  std::string key;          // Sec-WebSocket-Key
  std::string subprotocol;  // the one to be spoken
};

// The request of `head` as one for MQTT by WebSocket, or as a question, or the refusal. `more_fields` gets what belongs
// into its answer.
struct WebJudgement {
  std::optional<WebSocketRequest> request;
  std::optional<WebQuestion> question;
  HttpRefusal refusal;      // with neither
  std::string more_fields;  // of the answer, beside those of every refusal
};
WebJudgement judge_web_request(const HttpHead& head, const WebSite& site);

// What a peer speaks whose first bytes are `begin`, if it is known and no HTTP; nullptr: it may be HTTP.
const char* judge_web_stranger(std::string_view begin, bool is_secure);

}  // namespace furrow::gateway
