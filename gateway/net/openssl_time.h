// Times for OpenSSL, without its time_t: on 32-bit ARM that of Debian 12 has 32 bits, and that of Debian 13, under the
// same name of its library, has 64. One program runs with either.
#pragma once

#include <openssl/x509_vfy.h>

#include "broker-core/base/time.h"

namespace furrow::gateway {

// The moment at which certificates and revocation lists have to be valid.
void set_verify_time(X509_VERIFY_PARAM& parameters, WallTime time);

// False when there is no memory for it.
bool set_certificate_time(ASN1_TIME* field, WallTime time);

}  // namespace furrow::gateway
