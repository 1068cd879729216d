#include "broker-core/contested_ids.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace furrow::broker {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ContestedIds, ThirdTakeoverWithinAMinuteMakesOneContested) {
  ContestedIds ids;
  Instant now{};
  for (int takeover = 0; takeover < 2; ++takeover, now += seconds(30)) ids.note_takeover("pump", now);
  EXPECT_THAT(ids.contested(now), IsEmpty());
  ids.note_takeover("pump", now);
  EXPECT_THAT(ids.contested(now), ElementsAre("pump"));
}

TEST(ContestedIds, ClientThatComesBackNowAndThenIsNotContested) {
  ContestedIds ids;
  Instant now{};
  for (int takeover = 0; takeover < 10; ++takeover, now += seconds(31)) ids.note_takeover("pump", now);
  EXPECT_THAT(ids.contested(now), IsEmpty());
}

TEST(ContestedIds, QuarrelIsOverOnceItIsQuiet) {
  ContestedIds ids;
  const Instant now{};
  for (int takeover = 0; takeover < 3; ++takeover) ids.note_takeover("pump", now);
  EXPECT_THAT(ids.contested(now + ContestedIds::kQuiet - seconds(1)), ElementsAre("pump"));
  EXPECT_THAT(ids.contested(now + ContestedIds::kQuiet), IsEmpty());
}

TEST(ContestedIds, ManyOthersDisplaceTheQuietestAlone) {
  ContestedIds ids;
  Instant now{};
  for (std::size_t other = 0; other < 3 * ContestedIds::kIdsMax; ++other, now += std::chrono::milliseconds(1)) {
    ids.note_takeover("client-" + std::to_string(other), now);
    ids.note_takeover("pump", now);
  }
  EXPECT_THAT(ids.contested(now), ElementsAre("pump"));
}

}  // namespace
}  // namespace furrow::broker
