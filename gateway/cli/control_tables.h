// What a gateway answers to a command, as tables of 80 columns, for people.
#pragma once

#include <string>
#include <vector>

#include "gateway/cli/control_items.h"

namespace furrow::gateway {

// `colour`: for a terminal that has them.
std::string client_table(const std::vector<ClientItem>& clients, bool colour);
// One client and its subscriptions, a line for each thing that is known.
std::string client_sheet(const ClientItem& client, const std::vector<SubscriptionItem>& subscriptions);
// With the reason of each state beneath it.
std::string bridge_table(const std::vector<BridgeItem>& bridges, bool colour);
std::string buffer_table(const std::vector<BridgeItem>& bridges, bool colour);

// Lists that may be long are printed line by line.
std::string retained_heading(bool colour);
// The topic comes last, and whole, so that the line may be longer than 80 columns.
std::string retained_line(const MessageItem& message);
// Topic and payload, as mosquitto_sub -v has them.
std::string payload_line(const MessageItem& message);
std::string waiting_heading(bool colour);
std::string waiting_line(const MessageItem& message);

}  // namespace furrow::gateway
