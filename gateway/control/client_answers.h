// Who is connected or has a session.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "broker-core/broker.h"
#include "gateway/control/answer.h"

namespace furrow::gateway {

// Whether clients come to this listener by TLS.
using HasTls = std::function<bool(std::string_view listener)>;

// A line for each client.
class ClientListAnswer final : public Answer {
 public:
  // `broker` must outlive the answer.
  ClientListAnswer(const broker::Broker& broker, HasTls has_tls) : broker_(broker), has_tls_(std::move(has_tls)) {}

  Step next(ByteBuffer& out, Instant now) override;

 private:
  const broker::Broker& broker_;
  const HasTls has_tls_;
  broker::SubscriberId place_;
  std::uint64_t count_ = 0;
};

// A line of the client, and one for each of its subscriptions; a refusal when there is no such client.
class ClientShowAnswer final : public Answer {
 public:
  ClientShowAnswer(const broker::Broker& broker, HasTls has_tls, std::string client_id)
      : broker_(broker), has_tls_(std::move(has_tls)), client_id_(std::move(client_id)) {}

  Step next(ByteBuffer& out, Instant now) override;

 private:
  const broker::Broker& broker_;
  const HasTls has_tls_;
  const std::string client_id_;
  bool has_begun_ = false;
  std::size_t place_ = 0;  // of the next subscription
};

}  // namespace furrow::gateway
