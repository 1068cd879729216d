#include "gateway/cli/child_program.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>

#include "gateway/net/descriptor.h"

namespace furrow::gateway {
namespace {

using namespace std::chrono_literals;

using ::testing::HasSubstr;

TEST(ChildProgram, WhatItPrintsAndHowItEnds) {
  const auto output = run_program({"sh", "-c", "echo out; echo err >&2; exit 3"}, 1000, 30s);
  ASSERT_TRUE(output);
  EXPECT_EQ(output->text, "out\nerr\n");
  EXPECT_EQ(output->exit_code, 3);
}

TEST(ChildProgram, OneThatIsNotThereIsAnError) {
  const auto output = run_program({"no-such-program-of-furrow"}, 1000, 30s);
  ASSERT_FALSE(output);
  EXPECT_THAT(output.error().message(), HasSubstr("run no-such-program-of-furrow: No such file"));
}

TEST(ChildProgram, MoreThanIsWantedIsReadAndForgotten) {
  const auto output = run_program({"sh", "-c", "yes | head -n 100000"}, 10, 30s);
  ASSERT_TRUE(output);
  EXPECT_EQ(output->text, "y\ny\ny\ny\ny\n");
  EXPECT_EQ(output->exit_code, 0);
}

TEST(ChildProgram, OneThatHangsIsKilled) {
  const auto output = run_program({"sh", "-c", "exec sleep 600"}, 1000, 1s);
  ASSERT_FALSE(output);
  EXPECT_THAT(output.error().message(), HasSubstr("was not done in 1 s"));
}

TEST(ChildProgram, FilterWritesToTheFile) {
  const Descriptor file(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  ASSERT_TRUE(file);
  ASSERT_TRUE(filter_into({"tr", "a-z", "A-Z"}, "hello", file.get()));
  std::array<char, 16> text{};
  EXPECT_EQ(::pread(file.get(), text.data(), text.size(), 0), 5);
  EXPECT_STREQ(text.data(), "HELLO");
}

TEST(ChildProgram, FilterSaysThatTheProgramEndedBeforeItReadAll) {
  (void)std::signal(SIGPIPE, SIG_DFL);  // which ends a program
  const auto filtered = filter_into({"false"}, std::string(1000000, 'x'), STDOUT_FILENO);
  ASSERT_FALSE(filtered);
  EXPECT_EQ(filtered.error().message(), "false ended with 1");
}

}  // namespace
}  // namespace furrow::gateway
