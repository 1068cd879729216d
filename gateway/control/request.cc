#include "gateway/control/request.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "broker-core/base/printable.h"
#include "broker-core/mqtt/topic.h"
#include "gateway/control/json_object.h"

namespace furrow::gateway {
namespace {

using Json = nlohmann::json;
using Command = ControlCommand;

// A hundred years: what is meant for ever is left out.
constexpr std::uint64_t kSecondsMax = 100ULL * 366 * 24 * 3600;

enum Field : unsigned {
  kClient = 1,
  kBridge = 2,
  kFilter = 4,
  kAddress = 8,
  kOlder = 16,
  kLength = 32,
  kLimit = 64,
  kPayload = 128,
  kQuarantine = 256,
};

struct CommandRow {
  Command command;
  std::string_view name;
  unsigned required;
  unsigned optional;
};

constexpr std::array<CommandRow, 17> kCommands{{
    {Command::ClientsList, "clients.list", 0, 0},
    {Command::ClientsShow, "clients.show", kClient, 0},
    {Command::ClientsKick, "clients.kick", kClient, 0},
    {Command::ClientsForget, "clients.forget", kClient, 0},
    {Command::BridgeList, "bridge.list", 0, 0},
    {Command::BridgePause, "bridge.pause", kBridge, kLength},
    {Command::BridgeResume, "bridge.resume", kBridge, 0},
    {Command::BridgeReconnect, "bridge.reconnect", kBridge, 0},
    {Command::BridgeUse, "bridge.use", kBridge | kAddress, 0},
    {Command::RetainedList, "retained.list", 0, kFilter | kOlder},
    {Command::RetainedShow, "retained.show", kFilter, kOlder},
    {Command::RetainedCount, "retained.count", 0, kFilter | kOlder},
    {Command::RetainedDelete, "retained.delete", kFilter, kOlder},
    {Command::BufferShow, "buffer.show", kBridge, kLimit | kQuarantine},
    {Command::BufferPurge, "buffer.purge", kBridge, kQuarantine},
    {Command::BufferReplay, "buffer.replay", kBridge, 0},
    {Command::Trace, "trace", 0, kClient | kBridge | kAddress | kFilter | kLength | kLimit | kPayload},
}};

struct FieldRow {
  Field field;
  std::string_view name;
};

constexpr std::array<FieldRow, 9> kFields{{
    {kClient, "client"},
    {kBridge, "bridge"},
    {kFilter, "filter"},
    {kAddress, "address"},
    {kOlder, "older_s"},
    {kLength, "for_s"},
    {kLimit, "limit"},
    {kPayload, "payload"},
    {kQuarantine, "quarantine"},
}};

const CommandRow& row_of(Command command) {
  return *std::ranges::find(kCommands, command, &CommandRow::command);
}

Status read_text(const Json& value, std::string& text) {
  if (!value.is_string()) return invalid("is to be a text");
  text = value.get_ref<const std::string&>();
  return text.empty() ? Status(invalid("is empty")) : Status();
}

Result<std::uint64_t> read_number(const Json& value, std::uint64_t least) {
  if (!value.is_number_unsigned()) return invalid("is to be a whole number");
  const auto number = value.get<std::uint64_t>();
  if (number < least || number > kSecondsMax) return invalid("is out of range");
  return number;
}

Status read_flag(const Json& value, bool& flag) {
  if (!value.is_boolean()) return invalid("is to be true or false");
  flag = value.get<bool>();
  return {};
}

Status read_filter(const Json& value, std::string& filter) {
  FURROW_TRY_STATUS(read_text(value, filter));
  return mqtt::is_valid_filter(filter) ? Status() : invalid(in_quotes(filter) + " is not a topic filter");
}

Status read_field(Field field, const Json& value, ControlRequest& request) {
  switch (field) {
    case kClient:
      return read_text(value, request.client);
    case kBridge:
      return read_text(value, request.bridge);
    case kFilter:
      return read_filter(value, request.filter);
    case kAddress:
      return read_text(value, request.address);
    case kOlder: {
      FURROW_TRY(const std::uint64_t seconds, read_number(value, 0));
      request.older = std::chrono::seconds(seconds);
      return {};
    }
    case kLength: {
      FURROW_TRY(const std::uint64_t seconds, read_number(value, 1));
      request.length = std::chrono::seconds(seconds);
      return {};
    }
    case kLimit: {
      FURROW_TRY(request.limit, read_number(value, 1));
      return {};
    }
    case kPayload:
      return read_flag(value, request.payload);
    case kQuarantine:
      return read_flag(value, request.quarantine);
  }
  return {};
}

Status read_fields(const Json& object, const CommandRow& row, ControlRequest& request) {
  unsigned missing = row.required;
  for (const auto& [key, value] : object.items()) {
    if (key == "command") continue;
    const auto known = std::ranges::find(kFields, key, &FieldRow::name);
    if (known == kFields.end() || ((row.required | row.optional) & known->field) == 0) {
      return invalid("the command " + std::string(row.name) + " does not know " + in_quotes(key));
    }
    if (Status read = read_field(known->field, value, request); !read)
      return std::move(read).error().within(known->name);
    missing &= ~static_cast<unsigned>(known->field);
  }
  const auto lacks =
      std::ranges::find_if(kFields, [missing](const FieldRow& one) { return (missing & one.field) != 0; });
  if (lacks == kFields.end()) return {};
  return invalid("the command " + std::string(row.name) + " needs " + in_quotes(lacks->name));
}

}  // namespace

Result<ControlRequest> parse_request(std::string_view line) {
  const Json object = Json::parse(line, nullptr, false);
  if (!object.is_object()) return invalid("a request is a JSON object on one line");
  const auto command = object.find("command");
  if (command == object.end() || !command->is_string()) return invalid("the request has no 'command'");
  const auto& asked = command->get_ref<const std::string&>();
  const auto row = std::ranges::find(kCommands, asked, &CommandRow::name);
  if (row == kCommands.end()) {
    return invalid("there is no command " + in_quotes(asked) + " in this version");
  }
  ControlRequest request{.command = row->command};
  FURROW_TRY_STATUS(read_fields(object, *row, request));
  return request;
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kQuotedBytesMax = 100;
  return "'" + printable(text, kQuotedBytesMax) + "'";
}

std::string_view name(ControlCommand command) {
  return row_of(command).name;
}

std::string write_request(const ControlRequest& request) {
  const CommandRow& row = row_of(request.command);
  const unsigned fields = row.required | row.optional;
  JsonObject object;
  object.text("command", row.name);
  const auto text = [&](Field field, std::string_view key, const std::string& value) {
    const bool is_left_out = (row.optional & field) != 0 && value.empty();
    if ((fields & field) != 0 && !is_left_out) object.text(key, value);
  };
  text(kClient, "client", request.client);
  text(kBridge, "bridge", request.bridge);
  text(kFilter, "filter", request.filter);
  text(kAddress, "address", request.address);
  const auto number = [&object](std::string_view key, std::uint64_t value) { object.number(key, value); };
  if (request.older) number("older_s", static_cast<std::uint64_t>(request.older->count()));
  if (request.length) number("for_s", static_cast<std::uint64_t>(request.length->count()));
  if (request.limit) number("limit", *request.limit);
  if (request.payload) object.flag("payload", true);
  if (request.quarantine) object.flag("quarantine", true);
  return object.str();
}

}  // namespace furrow::gateway
