// The broker that a scenario is run against.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "tests/bench/load/broker_process.h"
#include "tests/bench/load/transport.h"

namespace furrow::load {

struct Broker {
  std::uint16_t port;
  const BrokerProcess& process;
  std::chrono::seconds patience;  // until a missing message counts as lost
  Transport::Kind over = Transport::Kind::Tcp;
  std::string user;  // who connects; empty: nobody in particular
  std::string password;
};

}  // namespace furrow::load
