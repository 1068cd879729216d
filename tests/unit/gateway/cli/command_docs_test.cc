#include "gateway/cli/command_docs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/cli/command_line.h"

namespace furrow::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const CommandText& small_tool() {
  static const CommandText kTool{
      .name = "furrow",
      .text = "furrow: a tool",
      .options = {{.names = {"-h", "--help"}, .place = "", .value = "", .text = "Print this"}},
      .commands = {
          {.name = "run",
           .text = "Run it",
           .options = {{.names = {"-h", "--help"}, .place = "", .value = "", .text = "Print this"},
                       {.names = {"-c", "--config"}, .place = "FILE", .value = "FILE", .text = "A\\B"}},
           .commands = {}},
          {.name = "certs",
           .text = "Make them",
           .options = {},
           .commands = {{.name = "init",
                         .text = "Begin",
                         .options = {{.names = {}, .place = "DIR", .value = "", .text = "Where", .required = true}},
                         .commands = {}}}},
          {.name = "help",
           .text = "Help",
           .options = {{.names = {}, .place = "COMMAND", .value = "", .text = ""}},
           .commands = {}}}};
  return kTool;
}

TEST(CommandManual, HasEachCommandWithItsArgumentsAndOptions) {
  const std::string page = command_manual(small_tool(), "1.2.3");
  EXPECT_TRUE(page.starts_with(".TH FURROW 1 \"\" \"furrow 1.2.3\" \"User Commands\"\n.SH NAME\nfurrow \\- a tool\n"));
  EXPECT_THAT(page, HasSubstr(".SS \\fBfurrow run\\fR [\\fIFILE\\fR]\nRun it.\n"
                              ".TP\n\\fB\\-c\\fR, \\fB\\-\\-config\\fR \\fIFILE\\fR\nA\\eB.\n"));
  EXPECT_THAT(page, HasSubstr(".SS \\fBfurrow certs init\\fR \\fIDIR\\fR\nBegin.\n.TP\n\\fIDIR\\fR\nWhere.\n"));
}

TEST(CommandManual, SplitCommandIsShownByItsParts) {
  EXPECT_THAT(command_manual(small_tool(), "1"), Not(HasSubstr("Make them")));
}

TEST(CommandManual, HelpIsSaidOnce) {
  const std::string page = command_manual(small_tool(), "1");
  EXPECT_EQ(page.find("Print this"), page.rfind("Print this"));
}

TEST(BashCompletion, KnowsTheWordsAfterEachCommand) {
  const std::string text = bash_completion(small_tool());
  EXPECT_THAT(text, HasSubstr("    '') echo 'run certs help -h --help' ;;\n"));
  EXPECT_THAT(text, HasSubstr("    'run') echo '-h --help -c --config' ;;\n"));
  EXPECT_THAT(text, HasSubstr("    'certs init') echo '' ;;\n"));
  EXPECT_THAT(text, HasSubstr("    'help') echo 'run certs help' ;;\n"));
}

TEST(DescribeCommandLine, IsWhatTheParserTakes) {
  const CommandText furrow = describe_command_line();
  const auto named = [&](const std::string& name) {
    return *std::find_if(furrow.commands.begin(), furrow.commands.end(),
                         [&](const CommandText& one) { return one.name == name; });
  };
  const OptionText config = named("run").options.at(1);
  EXPECT_THAT(config.names, ::testing::ElementsAre("-c", "--config"));
  EXPECT_EQ(config.place, "FILE");
  EXPECT_EQ(config.value, "FILE");
  EXPECT_EQ(named("access").options.at(1).place, "USER publish|subscribe TOPIC");
  EXPECT_EQ(named("certs").commands.size(), 3U);
  EXPECT_EQ(named("certs").commands.at(1).options.back().value, "DAYS");
}

}  // namespace
}  // namespace furrow::gateway
