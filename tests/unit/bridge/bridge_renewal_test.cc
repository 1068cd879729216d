// A connection that is made anew because its password ends, and what is said of that.
#include "tests/unit/bridge/bridge_fixture.h"

namespace furrow::test {
namespace {

using mqtt::Qos;
using mqtt::ReasonCode;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class BridgeRenewal : public BridgeFixture {};

TEST_F(BridgeRenewal, AConnectionThatIsRenewedResumesWhatIsInFlight) {
  start();
  accept();
  publish("farm/1", "21", Qos::AtLeastOnce);
  said();
  bridge().renew_connection(now);
  turn();
  EXPECT_THAT(said(), ElementsAre(StartsWith("DISCONNECT")));
  EXPECT_TRUE(dialing());
  accept(true);
  EXPECT_THAT(said(), Contains(HasSubstr("id=1 dup")));
}

TEST_F(BridgeRenewal, ANoticeIsSaidWhileAllIsWellAndBehindARefusal) {
  start();
  bridge().set_notice("the token ends soon", now);
  accept();
  EXPECT_EQ(state(), "online: the token ends soon");
  bridge().set_notice({}, now);
  EXPECT_EQ(state(), "online");
  cut();
  redial();
  link();
  bridge().set_notice("the token has ended", now);
  far(mqtt::Connack{false, ReasonCode::NotAuthorized, {}});
  EXPECT_THAT(state(), testing::EndsWith("; the token has ended"));
}

}  // namespace
}  // namespace furrow::test
