#include "gateway/net/openssl_time.h"

#include <gtest/gtest.h>
#include <openssl/asn1.h>

#include <memory>

#include "gateway/net/tls_certificate.h"
#include "gateway/net/tls_handles.h"

namespace furrow::gateway {
namespace {

using namespace std::chrono_literals;
using Time = std::unique_ptr<ASN1_TIME, FreeWith<ASN1_TIME_free>>;

TEST(OpensslTime, VerifyTimeIsWhatWasSet) {
  const std::unique_ptr<X509_VERIFY_PARAM, FreeWith<X509_VERIFY_PARAM_free>> parameters(X509_VERIFY_PARAM_new());
  set_verify_time(*parameters, WallTime(1'800'000'000s));
  EXPECT_EQ(static_cast<std::int32_t>(X509_VERIFY_PARAM_get_time(parameters.get())), 1'800'000'000);
}

TEST(OpensslTime, CertificateTimeComesBackInBothForms) {
  for (const auto since_1970 : {1'800'000'000s, 4'000'000'000s}) {  // the second is of 2096, beyond UTCTime and 32 bits
    const Time time(ASN1_TIME_new());
    ASSERT_TRUE(set_certificate_time(time.get(), WallTime(since_1970)));
    EXPECT_EQ(wall_time(time.get()), WallTime(since_1970));
    EXPECT_EQ(ASN1_STRING_type(time.get()), since_1970 < 2'000'000'000s ? V_ASN1_UTCTIME : V_ASN1_GENERALIZEDTIME);
  }
}

}  // namespace
}  // namespace furrow::gateway
