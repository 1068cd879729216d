#include "gateway/net/certificate_maker.h"

#include <gtest/gtest.h>

#include "tests/unit/gateway/net/tls_ends.h"

namespace furrow::gateway {
namespace {

using CertificateMakerTest = TlsTest;

TEST_F(CertificateMakerTest, WhatItMakesIsTakenByBothEnds) {
  const auto ca = make_ca("furrow CA of barn", today_);
  ASSERT_TRUE(ca);
  const auto server = issue_certificate(*ca, {"barn", {"barn.local", "192.0.2.7", "2001:db8::7"}, 825}, today_);
  const auto client = issue_certificate(*ca, {"sensor 1", {}, 825}, today_);
  ASSERT_TRUE(server && client);
  write("ca.crt", ca->certificate);
  write("server.crt", server->certificate);
  write("server.key", server->key);
  ask_clients();
  bridge_.tls.certificate = write("client.crt", client->certificate);
  bridge_.tls.key = write("client.key", client->key);
  for (const std::string host : {"barn.local", "192.0.2.7", "2001:db8::7"}) {
    host_ = host;
    meet();
    ASSERT_TRUE(both_open()) << host << client_end_->error << server_end_->error;
    EXPECT_EQ(server_end_->introduction().vouched_user, "sensor 1");
  }
  host_ = "192.0.2.8";
  meet();
  EXPECT_FALSE(both_open());
  // A certificate of a client is none of a server.
  write("server.crt", client->certificate);
  write("server.key", client->key);
  meet();
  EXPECT_NE(client_end_->error.find("is not for servers"), std::string::npos) << client_end_->error;
}

TEST_F(CertificateMakerTest, WhoeverItSignsSignsNobody) {
  const auto ca = make_ca("furrow CA of barn", today_);
  const auto server = issue_certificate(*ca, {"barn", {"barn.local"}, 825}, today_);
  const auto forged = issue_certificate(*server, {"sensor-1", {}, 825}, today_);
  ASSERT_TRUE(forged);
  write("ca.crt", ca->certificate);
  write("server.crt", server->certificate);
  write("server.key", server->key);
  ask_clients();
  host_ = "barn.local";
  bridge_.tls.certificate = write("client.crt", forged->certificate + server->certificate);
  bridge_.tls.key = write("client.key", forged->key);
  meet();
  EXPECT_FALSE(server_end_->stack.is_open());
}

}  // namespace
}  // namespace furrow::gateway
