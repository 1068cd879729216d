// The table of `furrow fleet`, to the letter, from documents as gateways publish them.
#include "gateway/cli/fleet_table.h"

#include <gtest/gtest.h>

namespace furrow::gateway {
namespace {

FleetDocument read(const char* document) {
  return read_fleet_document(document).value();
}

TEST(FleetTable, ThoseThatAreGoneComeFirstThenThoseWithAlarms) {
  const FleetDocument well =
      read(R"({"schema":1,"id":"barn-1","state":"online","time":"2026-11-24T09:59:00.123Z","version":"1.2.3",)"
           R"("alarms":{"count":0,"ids":[]},"bridges":[{"name":"region","state":"online","backlog":0}]})");
  const FleetDocument alarmed = read(
      R"({"schema":1,"id":"barn-2","state":"online","time":"2026-11-24T09:59:00.123Z","version":"1.2.3",)"
      R"("alarms":{"count":12,"ids":["buffer/west","silent/farm/1/moisture"]},)"
      R"("bridges":[{"name":"region","state":"online","backlog":5},)"
      R"({"name":"west","state":"backoff","backlog":120000}]})");
  const FleetDocument gone =
      read(R"({"schema":1,"id":"barn-3","state":"offline","time":null,"version":"1.2.2","reason":"connection lost"})");
  EXPECT_EQ(fleet_table({well, alarmed, gone}, false),
            "GATEWAY                   STATE     VERSION       BRIDGES    WAITING   ALARMS\n"
            "barn-3                    offline   1.2.2               -          -        -\n"
            "  connection lost\n"
            "barn-2                    online    1.2.3             1/2       120k       12\n"
            "  buffer/west, silent/farm/1/moisture, and 10 more\n"
            "barn-1                    online    1.2.3             1/1          0        0\n");
}

TEST(FleetTable, NobodyIsThere) {
  EXPECT_EQ(fleet_table({}, false), "no gateway has said anything there\n");
}

TEST(FleetTable, NamesOfOthersAreMadePrintable) {
  FleetDocument forged = read(R"({"id":"barn\u001b[31m","state":"online"})");
  EXPECT_EQ(fleet_table({forged}, true).find("\x1b[31m"), std::string::npos);
}

TEST(FleetDocument, AnythingElseIsNotRead) {
  for (const char* text : {"", "{", "[]", "7", R"({"id":"x"})", R"({"id":1,"state":"online"})"}) {
    EXPECT_FALSE(read_fleet_document(text)) << text;
  }
}

}  // namespace
}  // namespace furrow::gateway
