// Handshakes of both ends in memory: who is let in as whom, who is not and with which words, and bytes at every split.
#include "gateway/net/tls_layer.h"

#include <gtest/gtest.h>

#include "tests/unit/gateway/net/tls_ends.h"

namespace furrow::gateway {
namespace {

using test::make_identity;

TEST_F(TlsTest, BothEndsOpenAndBytesCrossBothWays) {
  meet();
  ASSERT_TRUE(both_open()) << client_end_->error << server_end_->error;
  EXPECT_EQ(client_end_->tls.version(), "TLSv1.3");
  client_end_->write("a message");
  server_end_->write("an answer");
  converse(*client_end_, *server_end_);
  EXPECT_EQ(server_end_->plain, "a message");
  EXPECT_EQ(client_end_->plain, "an answer");
}

TEST_F(TlsTest, EverySplitGivesTheSame) {
  for (std::size_t step : {1U, 2U, 3U, 5U, 7U, 64U}) {
    server_end_ = server();
    client_end_ = client();
    converse(*client_end_, *server_end_, step);
    ASSERT_TRUE(both_open()) << step << client_end_->error << server_end_->error;
    client_end_->write("a message");
    server_end_->write(std::string(40'000, 'x'));
    converse(*client_end_, *server_end_, step);
    ASSERT_EQ(server_end_->plain, "a message") << step;
    ASSERT_EQ(client_end_->plain, std::string(40'000, 'x')) << step;
  }
}

TEST_F(TlsTest, BytesThatDripBuyNoJobEach) {
  server_end_ = server();
  client_end_ = client();
  converse(*client_end_, *server_end_, 1);
  EXPECT_LE(server_end_->jobs, 4);
}

TEST_F(TlsTest, WhatComesWithTheEndOfTheHandshakeIsThereAtOnce) {
  server_end_ = server();
  client_end_ = client();
  server_end_->read(client_end_->said());
  client_end_->read(server_end_->said());
  ASSERT_TRUE(client_end_->stack.is_open());
  client_end_->write("CONNECT");
  server_end_->read(client_end_->said());
  EXPECT_EQ(server_end_->plain, "CONNECT");
}

TEST_F(TlsTest, RecordsAreFilledOnTheWayOutAndPiecesOnTheWayIn) {
  meet();
  client_end_->write(std::string(48 * KiB, 'x'));
  const std::string said = client_end_->said();
  EXPECT_LT(said.size(), 48 * KiB + 3 * 64);  // three records
  server_end_->read(said);
  EXPECT_EQ(server_end_->pieces, 3);
  for (int i = 0; i < 50; ++i) client_end_->write("small");
  server_end_->read(client_end_->said());
  EXPECT_EQ(server_end_->pieces, 4);  // fifty records in one piece
}

TEST_F(TlsTest, AGoodbyeIsNoFault) {
  meet();
  client_end_->write("last words");
  client_end_->stack.end();
  server_end_->read(client_end_->said());
  EXPECT_EQ(server_end_->plain, "last words");
  EXPECT_TRUE(server_end_->closed);
  EXPECT_EQ(server_end_->error, "TLS: closed by the peer");
}

TEST_F(TlsTest, ABrokenRecordEndsTheConnectionWithAnAlert) {
  meet();
  client_end_->write("a message");
  std::string said = client_end_->said();
  said.back() = static_cast<char>(said.back() + 1);
  server_end_->read(said);
  EXPECT_NE(server_end_->error, "");
  EXPECT_FALSE(server_end_->closed);
  EXPECT_EQ(server_end_->plain, "");
  client_end_->read(server_end_->said());
  EXPECT_NE(client_end_->error.find("alert"), std::string::npos) << client_end_->error;
}

// --- strangers ---

TEST_F(TlsTest, WhoeverSpeaksSomethingElseIsNamed) {
  const auto answer = [this](const std::string& bytes) {
    const auto end = server();
    for (const char c : bytes) end->read(std::string(1, c));
    EXPECT_EQ(end->said(), "");  // they could not read an alert
    return end->error;
  };
  EXPECT_EQ(answer(std::string("\x10\x10\0\4MQTT\4\2\0\x3c\0\4abcd", 18)),
            "TLS: it speaks plain MQTT; it must be told to use TLS");
  EXPECT_EQ(answer("GET /mqtt HTTP/1.1\r\n"), "TLS: it speaks HTTP without TLS; it must be told to use TLS");
  EXPECT_EQ(answer("PROXY TCP4 1.2.3.4"),
            "TLS: it speaks the PROXY protocol, which this listener takes with proxy_protocol only");
  EXPECT_EQ(answer("SSH-2.0-OpenSSH"), "TLS: it does not speak TLS; it must be told to use TLS");
}

TEST_F(TlsTest, GarbageInTheMiddleOfTheHandshakeEndsIt) {
  server_end_ = server();
  client_end_ = client();
  server_end_->read(client_end_->said());
  server_end_->read("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(server_end_->error, "TLS: something that is no record of TLS came in the middle of the handshake");
}

TEST_F(TlsTest, AFarSideWithoutTlsIsNamed) {
  const auto end = client();
  end->read("HTTP/1.1 400 Bad Request\r\n");
  EXPECT_EQ(end->error, "TLS: the far side answers HTTP, not TLS");
}

// --- the far side's certificate ---

TEST_F(TlsTest, AnAddressIsVerifiedAsAnAddress) {
  host_ = "127.0.0.1";
  meet();
  EXPECT_TRUE(both_open()) << client_end_->error;
  host_ = "127.0.0.2";
  meet();
  EXPECT_EQ(client_end_->error,
            "TLS: the certificate is for a.example.org, 127.0.0.1, not 127.0.0.2; look at connect and tls.server_name");
  EXPECT_NE(server_end_->error.find("refuses our certificate"), std::string::npos) << server_end_->error;
}

TEST_F(TlsTest, TheNameOfTheCertificateMustBeTheHost) {
  host_ = "b.example.org";
  meet();
  EXPECT_EQ(client_end_->error,
            "TLS: the certificate is for a.example.org, 127.0.0.1, not b.example.org; look at "
            "connect and tls.server_name");
  bridge_.tls.server_name = "a.example.org";
  meet();
  EXPECT_TRUE(both_open()) << client_end_->error;
}

TEST_F(TlsTest, AWildcardStandsForOneWholeLabel) {
  const auto fits = [this](const std::string& name, const std::string& host) {
    serve(issue({.common_names = {"x"}, .alternative_names = "DNS:" + name}));
    host_ = host;
    meet();
    return both_open();
  };
  EXPECT_TRUE(fits("*.example.org", "a.example.org"));
  EXPECT_FALSE(fits("*.example.org", "a.b.example.org"));
  EXPECT_FALSE(fits("*.example.org", "example.org"));
  EXPECT_FALSE(fits("a*.example.org", "ab.example.org"));
  EXPECT_FALSE(fits("*.org", "example.org"));
  EXPECT_FALSE(fits("*", "localhost"));
}

TEST_F(TlsTest, ACommonNameIsNoHostName) {
  serve(issue({.common_names = {"a.example.org"}}));
  meet();
  EXPECT_NE(client_end_->error.find("names no host (subjectAltName)"), std::string::npos) << client_end_->error;
}

TEST_F(TlsTest, AnUnknownCaIsNamedWithTheKeyThatCouldBePinned) {
  const test::Identity other = test::make_authority("Other CA");
  bridge_.tls.ca = write("other.crt", other.pem());
  meet();
  EXPECT_NE(client_end_->error.find(
                "the far certificate comes from a CA that is not in " + (files_ / "other.crt") +
                ", 'CN=Farm CA'; to trust it set tls.ca to its CA, or pin: " + public_key_pin(*server_.certificate)),
            std::string::npos)
      << client_end_->error;
}

TEST_F(TlsTest, APinAloneDecides) {
  const test::Identity own = make_identity({.common_names = {"made at home"}, .until = today_ - std::chrono::hours(1)});
  serve(own);
  meet();
  const std::string pin = public_key_pin(*own.certificate);
  EXPECT_NE(client_end_->error.find("is self-signed; to trust it set tls.ca to its CA, or pin: " + pin),
            std::string::npos)
      << client_end_->error;
  bridge_.pins = {"sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", pin};
  meet();
  EXPECT_TRUE(both_open()) << client_end_->error;
  bridge_.pins.pop_back();
  meet();
  EXPECT_EQ(client_end_->error,
            "TLS: the far public key is " + pin + ", which is not what pin says; is it another machine?");
}

TEST_F(TlsTest, DatesAreJudgedAtTheGivenMoment) {
  today_ = test::kToday + std::chrono::days(31);
  meet();
  EXPECT_EQ(client_end_->error, "TLS: the far certificate 'CN=gateway' has expired on 2026-12-24");
  today_ = test::kToday - std::chrono::days(2);
  meet();
  EXPECT_EQ(client_end_->error,
            "TLS: the CA certificate 'CN=Farm CA' is not valid before 2026-11-23; is the clock of "
            "this machine right?");
}

// A clock that was wrong let both in.
TEST_F(TlsTest, DatesAreJudgedAgainOnALivingConnection) {
  ask_clients();
  show(issue({.until = today_ + std::chrono::days(1)}));
  meet();
  EXPECT_TRUE(client_end_->stack.judge(today_));
  EXPECT_TRUE(server_end_->stack.judge(today_));
  const Status late = server_end_->stack.judge(today_ + std::chrono::days(2));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().message(), "TLS: its certificate 'CN=sensor-1' has expired on 2026-11-25");
  const Status early = client_end_->stack.judge(today_ - std::chrono::days(9));
  ASSERT_FALSE(early);
  EXPECT_TRUE(early.error().message().starts_with("TLS: the far certificate 'CN=gateway' is not valid before"))
      << early.error().message();
}

TEST_F(TlsTest, AContextThatCannotBeMadeIsNeverUsed) {
  bridge_.tls.ca = write("bad.crt", "nothing of the kind\n");
  for (int attempt = 0; attempt < 2; ++attempt) {
    meet();
    EXPECT_EQ(client_end_->error, "TLS: " + (files_ / "bad.crt") +
                                      " holds no certificate in PEM form, which begins "
                                      "with -----BEGIN CERTIFICATE-----");
    EXPECT_EQ(client_end_->said(), "");
  }
}

// --- clients' certificates ---

TEST_F(TlsTest, AClientIsWhoItsCertificateSays) {
  ask_clients();
  show(issue({.common_names = {"sensor-7"}}));
  meet();
  ASSERT_TRUE(both_open()) << server_end_->error;
  EXPECT_EQ(server_end_->introduction().vouched_user, "sensor-7");
}

TEST_F(TlsTest, WithoutACertificateNobodyIsLetInUnlessThatIsSaid) {
  ask_clients();
  meet();
  EXPECT_EQ(server_end_->error, "TLS: it has no client certificate, which this listener requires");
  EXPECT_EQ(client_end_->error, "TLS: the far side wants a certificate of ours: set tls.certificate and tls.key");
  listener_.tls.require_client_certificate = false;
  meet();
  ASSERT_TRUE(both_open());
  EXPECT_EQ(server_end_->introduction().vouched_user, std::nullopt);
  // But what is shown must be good.
  show(make_identity({.common_names = {"forged"}}));
  meet();
  EXPECT_NE(server_end_->error.find("'CN=forged' does not come from a CA in"), std::string::npos) << server_end_->error;
}

TEST_F(TlsTest, ClientsAreRefusedForWhatIsWrongWithTheirCertificate) {
  ask_clients();
  const auto fault_of = [this](const test::Identity& client) {
    show(client);
    meet();
    return server_end_->error;
  };
  EXPECT_EQ(fault_of(issue({.until = today_ - std::chrono::hours(1)})),
            "TLS: its certificate 'CN=sensor-1' has expired on 2026-11-23");
  EXPECT_EQ(fault_of(issue({.from = today_ + std::chrono::hours(1)})),
            "TLS: its certificate 'CN=sensor-1' is not valid before 2026-11-24; is the clock of this machine right?");
  EXPECT_EQ(fault_of(issue({.use = "serverAuth"})),
            "TLS: its certificate 'CN=sensor-1' is not for clients (extendedKeyUsage)");
}

TEST_F(TlsTest, AForgedCaOfTheSameNameIsUnknown) {
  ask_clients();
  const test::Identity forger = test::make_authority();
  show(make_identity({.common_names = {"sensor-1"}}, &forger));
  meet();
  EXPECT_EQ(server_end_->error,
            "TLS: its certificate 'CN=sensor-1' does not come from a CA in " + (files_ / "ca.crt") + " (unknown CA)");
}

TEST_F(TlsTest, ARevokedCertificateIsRefused) {
  ask_clients();
  const test::Identity client = issue({.common_names = {"stolen"}});
  show(client);
  listener_.tls.crl = write("revoked.pem", test::revoked(authority_, {}));
  meet();
  EXPECT_TRUE(both_open()) << server_end_->error;
  write("revoked.pem", test::revoked(authority_, {&client}));
  meet();
  EXPECT_EQ(server_end_->error, "TLS: its certificate 'CN=stolen' has been revoked, says " + (files_ / "revoked.pem"));
}

TEST_F(TlsTest, ARevocationListThatExpiresWhileWeRunRefusesEverybodyAndSaysSo) {
  ask_clients();
  show(issue({}));
  listener_.tls.crl = write("revoked.pem", test::revoked(authority_, {}));
  today_ += std::chrono::days(8);
  meet();
  EXPECT_EQ(server_end_->error, "TLS: the revocation list " + (files_ / "revoked.pem") +
                                    " has expired on 2026-12-01: every client is refused until there is a new one");
}

TEST_F(TlsTest, ANameThatCannotBeAUserIsRefusedNeverAnonymous) {
  ask_clients();
  listener_.tls.require_client_certificate = false;
  const auto fault_of = [this](const test::Wanted& wanted) {
    show(issue(wanted));
    meet();
    EXPECT_FALSE(server_end_->stack.is_open());
    return server_end_->error;
  };
  EXPECT_EQ(fault_of({.common_names = {}}), "TLS: its certificate has no common name (CN)");
  EXPECT_EQ(fault_of({.common_names = {""}}), "TLS: the common name (CN) of its certificate is empty");
  EXPECT_EQ(fault_of({.common_names = {std::string("a\0b", 3)}}),
            "TLS: the common name (CN) of its certificate has a control character in it");
  EXPECT_EQ(fault_of({.common_names = {"a\nb"}}),
            "TLS: the common name (CN) of its certificate has a control character in it");
  EXPECT_EQ(fault_of({.common_names = {"sensor-1", "admin"}}),
            "TLS: its certificate has more than one common name (CN), and nothing says which one is meant");
  listener_.tls.username_from = config::UsernameFrom::SanDns;
  EXPECT_EQ(fault_of({}), "TLS: its certificate has no DNS name (subjectAltName)");
  EXPECT_EQ(fault_of({.alternative_names = "DNS:a,DNS:b"}),
            "TLS: its certificate has more than one DNS name (subjectAltName), and nothing says which one is meant");
}

TEST_F(TlsTest, TheUserIsTakenFromWhereTheListenerSays) {
  ask_clients();
  const test::Identity client =
      issue({.common_names = {"sensor+1"}, .alternative_names = "DNS:sensor.example.org,URI:urn:farm:1"});
  show(client);
  const auto user_from = [this](config::UsernameFrom from) {
    listener_.tls.username_from = from;
    meet();
    return server_end_->introduction().vouched_user;
  };
  EXPECT_EQ(user_from(config::UsernameFrom::Cn), "sensor+1");
  EXPECT_EQ(user_from(config::UsernameFrom::Subject), "CN=sensor\\+1");
  EXPECT_EQ(user_from(config::UsernameFrom::SanDns), "sensor.example.org");
  EXPECT_EQ(user_from(config::UsernameFrom::SanUri), "urn:farm:1");
  EXPECT_EQ(user_from(config::UsernameFrom::Fingerprint), fingerprint(*client.certificate));
}

// --- versions ---

TEST_F(TlsTest, TheOldestVersionIsThatOfTheConfiguration) {
  const auto version_of = [this](int version) {
    server_end_ = server();
    client_end_ = client_of_version(version);
    converse(*client_end_, *server_end_);
    return both_open() ? client_end_->tls.version() : server_end_->error;
  };
  const std::string refused = "TLS: it speaks only versions of TLS older than min_version";
  EXPECT_EQ(version_of(TLS1_VERSION), refused);
  EXPECT_EQ(version_of(TLS1_1_VERSION), refused);
  EXPECT_EQ(version_of(TLS1_2_VERSION), "TLSv1.2");
  EXPECT_EQ(version_of(TLS1_3_VERSION), "TLSv1.3");
  listener_.tls.version_min = config::TlsVersion::V1_3;
  EXPECT_EQ(version_of(TLS1_2_VERSION), refused);
  EXPECT_EQ(version_of(TLS1_3_VERSION), "TLSv1.3");
}

// --- pre-shared keys ---

class PskTest : public TlsTest {
 protected:
  PskTest() {
    listener_.tls = {};
    listener_.psk_file = write("sensors.psk", "barn-7:" + key_ + "\nsensor-1:" + other_key_ + "\n");
    bridge_.psk_identity = "barn-7";
    bridge_.psk_from = write("barn.psk", key_ + "\n");
  }
  const std::string key_ = "00112233445566778899aabbccddeeff";
  const std::string other_key_ = "ffeeddccbbaa99887766554433221100";
};

TEST_F(PskTest, TheIdentityIsTheUser) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    server_end_ = server();
    client_end_ = client_of_version(version);
    converse(*client_end_, *server_end_);
    ASSERT_TRUE(both_open()) << server_end_->error << client_end_->error;
    EXPECT_EQ(server_end_->introduction().vouched_user, "barn-7");
  }
}

TEST_F(PskTest, AWrongKeyAndAnUnknownIdentityLookAlikeToTheClient) {
  bridge_.psk_from = write("wrong.psk", other_key_ + "\n");
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto faults_as = [&](const std::string& identity) {
      bridge_.psk_identity = identity;
      server_end_ = server();
      client_end_ = client_of_version(version);
      converse(*client_end_, *server_end_);
      return server_end_->error;
    };
    EXPECT_EQ(faults_as("barn-7"), "TLS: it has the wrong key for its PSK identity 'barn-7'");
    const std::string wrong = client_end_->error;
    EXPECT_EQ(wrong, "TLS: the far side does not know psk_identity, or has another key for it");
    EXPECT_EQ(faults_as("barn-8"), "TLS: its PSK identity 'barn-8' is not in psk_file");
    EXPECT_EQ(client_end_->error, wrong);
  }
}

TEST_F(PskTest, WhoeverHasNoKeyIsRefusedWhateverItOffers) {
  bridge_.psk_identity.clear();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    server_end_ = server();
    client_end_ = client_of_version(version);
    converse(*client_end_, *server_end_);
    EXPECT_EQ(server_end_->error, "TLS: it offers no pre-shared key, which is all that this listener takes");
  }
}

TEST_F(PskTest, AClientWithAKeyDoesNotTakeACertificateInstead) {
  listener_.psk_file.clear();
  listener_.tls.certificate = files_ / "server.crt";
  listener_.tls.key = files_ / "server.key";
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    server_end_ = server();
    client_end_ = client_of_version(version);
    converse(*client_end_, *server_end_);
    EXPECT_FALSE(client_end_->stack.is_open());
    EXPECT_NE(client_end_->error, "");
  }
}

// --- resumption ---

TEST_F(TlsTest, TheNextConnectionResumes) {
  ask_clients();
  show(issue({.common_names = {"sensor-7"}}));
  const auto context = open();
  ASSERT_TRUE(context);
  const auto meet_again = [&](std::shared_ptr<const TlsContext> at) {
    server_end_ = std::make_unique<TlsEnd>(TlsLayer::make_server(std::move(at), today_));
    client_end_ = client();
    converse(*client_end_, *server_end_);
    EXPECT_TRUE(both_open()) << server_end_->error << client_end_->error;
    EXPECT_EQ(server_end_->introduction().vouched_user, "sensor-7");
    return server_end_->tls.resumed();
  };
  EXPECT_FALSE(meet_again(*context));
  EXPECT_TRUE(meet_again(*context));
  EXPECT_TRUE(meet_again(*context));
  // A new certificate changes nothing of the trust.
  serve(issue({.common_names = {"gateway"}, .alternative_names = "DNS:a.example.org"}));
  const auto renewed = open(context->get());
  ASSERT_TRUE(renewed) << renewed.error().message();
  EXPECT_TRUE(meet_again(*renewed));
  // A list of revocations does, and so does another CA.
  listener_.tls.crl = write("revoked.pem", test::revoked(authority_, {}));
  const auto watchful = open(renewed->get());
  ASSERT_TRUE(watchful);
  EXPECT_FALSE(meet_again(*watchful));
  EXPECT_TRUE(meet_again(*watchful));
}

TEST_F(TlsTest, AResumedSessionDoesNotOutliveItsCertificate) {
  ask_clients();
  show(issue({.until = today_ + std::chrono::minutes(1)}));
  const auto context = open();
  ASSERT_TRUE(context);
  for (const bool late : {false, true}) {
    if (late) today_ += std::chrono::minutes(2);
    server_end_ = std::make_unique<TlsEnd>(TlsLayer::make_server(*context, today_));
    client_end_ = client();
    converse(*client_end_, *server_end_);
    EXPECT_EQ(server_end_->error, late ? "TLS: its certificate 'CN=sensor-1' has expired on 2026-11-24" : "");
  }
}

}  // namespace
}  // namespace furrow::gateway
