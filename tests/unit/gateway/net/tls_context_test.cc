// What files a listener and a bridge may have, and how each mistake is said.
#include "gateway/net/tls_context.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/unit/gateway/net/tls_ends.h"

namespace furrow::gateway {
namespace {

class TlsContextTest : public TlsTest {
 protected:
  std::string fault(const TlsContext* before = nullptr) {
    const auto context = open(before);
    return context ? "" : context.error().message();
  }
  std::string file(const std::string& name) { return files_ / name; }
};

TEST_F(TlsContextTest, TheKeyMustFitTheCertificate) {
  EXPECT_EQ(fault(), "");
  write("server.key", issue({}).key_pem());
  EXPECT_EQ(fault(), "the key " + file("server.key") + " does not fit the certificate " + file("server.crt") +
                         ": they must be made for each other, and the certificate of this gateway comes first in its "
                         "file");
}

TEST_F(TlsContextTest, FilesThatAreNotWhatTheyShouldBe) {
  write("server.crt", server_.key_pem());
  EXPECT_EQ(fault(),
            file("server.crt") + " holds no certificate in PEM form, which begins with -----BEGIN CERTIFICATE-----");
  write("server.crt", server_.pem() + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  EXPECT_NE(fault().find(file("server.crt") + " has a certificate that cannot be read, number 2: "), std::string::npos)
      << fault();
  write("server.crt", server_.pem());
  write("server.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n");
  EXPECT_NE(fault().find("is protected by a passphrase"), std::string::npos) << fault();
  write("server.key", server_.pem());
  EXPECT_EQ(fault(),
            file("server.key") + " holds no private key in PEM form, which begins with -----BEGIN PRIVATE KEY-----");
  std::filesystem::remove(file("server.key"));
  EXPECT_EQ(fault(), "read " + file("server.key") + ": No such file or directory");
}

TEST_F(TlsContextTest, AKeyThatOthersMayReadIsRefusedWithTheCommandThatMendsIt) {
  ASSERT_EQ(::chmod(file("server.key").c_str(), 0644), 0);
  EXPECT_EQ(fault(), file("server.key") + " holds a secret that other users may reach; 'chmod 600 " +
                         file("server.key") + "' ends that");
}

TEST_F(TlsContextTest, ARevocationListMustBeOfTheCaAndInDate) {
  ask_clients();
  listener_.tls.crl = write("revoked.pem", test::revoked(test::make_authority("Other CA"), {}));
  EXPECT_EQ(fault(), "the revocation list " + file("revoked.pem") + " is not signed by any CA in " + file("ca.crt"));
  // One of the same name, but with another key.
  write("revoked.pem", test::revoked(test::make_authority(), {}));
  EXPECT_NE(fault(), "");
  write("revoked.pem", test::revoked(authority_, {}, today_ - std::chrono::days(1)));
  const auto first = open();
  EXPECT_TRUE(first);  // at start: whoever comes is told why it is refused
  EXPECT_EQ(fault(first->get()), "the revocation list " + file("revoked.pem") +
                                     " has expired on 2026-11-23, and would refuse every client: get a new one from "
                                     "the CA");
}

TEST_F(TlsContextTest, ContentsAreComparedNotFiles) {
  ask_clients();
  const auto one = open();
  write("server.crt", server_.pem());
  const auto same = open();
  write("ca.crt", authority_.pem() + test::make_authority("Other CA").pem());
  const auto other = open();
  ASSERT_TRUE(one && same && other);
  EXPECT_EQ((*one)->contents(), (*same)->contents());
  EXPECT_EQ((*one)->trust(), (*same)->trust());
  EXPECT_NE((*one)->contents(), (*other)->contents());
  EXPECT_NE((*one)->trust(), (*other)->trust());
}

TEST_F(TlsContextTest, SaysWhatItsCertificateIs) {
  const auto context = open();
  ASSERT_TRUE(context && (*context)->certificate());
  EXPECT_EQ((*context)->certificate()->subject, "CN=gateway");
  EXPECT_EQ((*context)->certificate()->file, file("server.crt"));
  EXPECT_EQ((*context)->certificate()->not_after, test::kToday + std::chrono::days(30));
}

TEST_F(TlsContextTest, APskFileWithOneBadLineIsNotUsed) {
  listener_.psk_file = write("sensors.psk", "a:00112233445566778899aabbccddeeff\nb:00\n");
  EXPECT_EQ(fault(), file("sensors.psk") +
                         ": line 2: the key is shorter than 16 bytes, 32 hexadecimal digits: 'openssl rand -hex 32' "
                         "makes a good one");
}

}  // namespace
}  // namespace furrow::gateway
