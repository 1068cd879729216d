#include "gateway/cli/demo_screen.h"

#include <gtest/gtest.h>

namespace furrow::gateway {
namespace {

using namespace std::chrono_literals;

const DemoScreen::Row kRow{.since_start = 12500ms, .sent = 300, .arrived = 200, .waiting = 100, .bridge = "backoff"};

TEST(DemoScreen, APipeGetsTheWordsAlone) {
  EXPECT_EQ(format_row(kRow, {}), "[ 12.5 s] sent   300   arrived   200   in the gateway   100   bridge backoff");
}

TEST(DemoScreen, ATerminalGetsABar) {
  EXPECT_EQ(format_row(kRow, {.bar = true}),
            "[ 12.5 s] sent   300   arrived   200   in the gateway   100   [####################----------]   "
            "bridge backoff");
}

TEST(DemoScreen, TheBarIsNeverLongerThanItIs) {
  for (const DemoScreen::Row& row : {DemoScreen::Row{}, DemoScreen::Row{.sent = 1, .arrived = 9, .waiting = 9},
                                     DemoScreen::Row{.sent = 1'000'000, .arrived = 999'999, .waiting = 1}}) {
    const std::string line = format_row(row, {.bar = true});
    EXPECT_EQ(line.find("]   bridge") - line.find("[", 1), 31U) << line;
  }
  EXPECT_NE(format_row({.sent = 1'000'000, .arrived = 999'999, .waiting = 1}, {.bar = true}).find("#-]"),
            std::string::npos);
}

TEST(DemoScreen, ColoursAreTakenBack) {
  const std::string line = format_row(kRow, {.bar = true, .colour = true});
  EXPECT_NE(line.find("\x1b[31mbackoff\x1b[0m"), std::string::npos) << line;
  EXPECT_TRUE(line.ends_with("\x1b[0m"));
}

}  // namespace
}  // namespace furrow::gateway
