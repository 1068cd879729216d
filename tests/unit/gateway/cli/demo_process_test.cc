#include "gateway/cli/demo_process.h"

#include <gtest/gtest.h>

namespace furrow::gateway {
namespace {

TEST(PortOfListening, IsTheRealPortOfALogLine) {
  EXPECT_EQ(port_of_listening("2026-11-24T10:00:00.123Z info listening name=mqtt address=127.0.0.1:41883"), 41883);
  EXPECT_EQ(port_of_listening("2026-11-24T10:00:00.123Z info listening name=mqtt address=[::1]:1883"), 1883);
}

TEST(PortOfListening, OtherLinesHaveNone) {
  EXPECT_EQ(port_of_listening(""), 0);
  EXPECT_EQ(port_of_listening("2026-11-24T10:00:00.123Z info ready"), 0);
  EXPECT_EQ(port_of_listening("2026-11-24T10:00:00.123Z info bridge.online address=127.0.0.1:1883"), 0);
}

}  // namespace
}  // namespace furrow::gateway
