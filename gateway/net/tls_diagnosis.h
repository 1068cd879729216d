// Why a handshake failed, in the words of who can mend it: the operator of this gateway.
//
// OpenSSL says "sslv3 alert handshake failure"; here stands who refused what, and which key of the configuration to
// look at. Names that a stranger's certificate brings are cut and escaped.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/base/bytes.h"
#include "broker-core/base/time.h"
#include "gateway/net/tls_context.h"

namespace furrow::gateway {

// What was found out while a handshake failed.
struct TlsFault {
  unsigned long code = 0;  // OpenSSL's, the first of its queue

  // Of the other end's certificate, when that is what did not please.
  long verify = X509_V_OK;
  int depth = 0;  // 0: its own, else a CA's
  std::string subject;
  std::string issuer;
  WallTime not_before{};
  WallTime not_after{};
  std::vector<std::string> hosts;
  std::string pin;

  std::string psk_identity;  // as the client has sent it
  bool psk_is_unknown = false;
};

// Whether nobody whom we trust has signed a certificate, by OpenSSL's result of the verification: which certificate of
// the chain shows that says nothing.
bool is_of_unknown_origin(long verify);

// `host` is whom a client wanted to reach.
std::string describe(const TlsFault& fault, const TlsContext& context, std::string_view host);

// The first bytes of the other end, of which the first one is no record of a handshake or an alert.
std::string describe_no_tls(ByteView first_bytes, TlsContext::End end);
// How many of them describe_no_tls() wants to see.
inline constexpr std::size_t kTlsGreetingBytes = 8;

}  // namespace furrow::gateway
