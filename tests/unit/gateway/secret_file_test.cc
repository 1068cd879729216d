#include "gateway/secret_file.h"

#include <endian.h>
#include <gtest/gtest.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/xattr.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fstream>

#include "tests/support/temporary_directory.h"

namespace furrow::gateway {
namespace {

class SecretFileTest : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text, mode_t mode) {
    std::ofstream(directory_ / name) << text;
    EXPECT_EQ(::chmod((directory_ / name).c_str(), mode), 0);
    return directory_ / name;
  }
  TemporaryDirectory directory_;
};

TEST_F(SecretFileTest, IsReadWhenItIsForUsAlone) {
  const std::string file = write("secret", "one\r\ntwo\n", 0600);
  EXPECT_EQ(*read_secret_file(file), "one\r\ntwo\n");
  EXPECT_EQ(*read_secret_line(file), "one");
  EXPECT_TRUE(check_secret_file(file));
}

TEST_F(SecretFileTest, IsRefusedWithTheCommandThatMendsItWhenOthersMayReachIt) {
  for (const mode_t mode : {0604U, 0602U, 0601U, 0644U, 0666U}) {
    const std::string file = write("secret", "one", mode);
    const auto read = read_secret_line(file);
    ASSERT_FALSE(read) << std::oct << mode;
    EXPECT_EQ(read.error().message(),
              file + " holds a secret that other users may reach; 'chmod 600 " + file + "' ends that");
  }
}

TEST_F(SecretFileTest, OurOwnGroupMayReadIt) {
  EXPECT_TRUE(check_secret_file(write("secret", "one", 0640)));
}

TEST_F(SecretFileTest, AnotherGroupMayNot) {
  const std::string file = write("secret", "one", 0640);
  if (::geteuid() != 0) GTEST_SKIP() << "only root gives files away";
  ASSERT_EQ(::chown(file.c_str(), 0, 54321), 0);
  EXPECT_FALSE(check_secret_file(file));
}

// Lets the user `reader` read `file` by an access control list, as systemd does with a credential.
bool let_read(const std::string& file, uid_t reader) {
  struct {
    posix_acl_xattr_header header;
    posix_acl_xattr_entry entries[5];
  } const list{.header = {htole32(POSIX_ACL_XATTR_VERSION)},
               .entries = {{htole16(ACL_USER_OBJ), htole16(ACL_READ), 0},
                           {htole16(ACL_USER), htole16(ACL_READ), htole32(reader)},
                           {htole16(ACL_GROUP_OBJ), 0, 0},
                           {htole16(ACL_MASK), htole16(ACL_READ), 0},
                           {htole16(ACL_OTHER), 0, 0}}};
  return ::setxattr(file.c_str(), XATTR_NAME_POSIX_ACL_ACCESS, &list, sizeof(list), 0) == 0;
}

TEST_F(SecretFileTest, ListThatLetsNobodyInButUsIsNoReasonToRefuse) {
  const std::string file = write("secret", "one", 0400);
  if (!let_read(file, ::geteuid())) GTEST_SKIP() << "there are no access control lists here";
  struct stat found = {};
  ASSERT_EQ(::stat(file.c_str(), &found), 0);
  ASSERT_EQ(found.st_mode & S_IRWXG, S_IRGRP);  // the mask, which looks like a right of the group
  EXPECT_TRUE(check_secret_file(file));
}

TEST_F(SecretFileTest, ListThatLetsAnotherUserInIs) {
  const std::string file = write("secret", "one", 0400);
  if (!let_read(file, ::geteuid() + 1)) GTEST_SKIP() << "there are no access control lists here";
  EXPECT_FALSE(check_secret_file(file));
}

TEST_F(SecretFileTest, TheFileBehindALinkCounts) {
  const std::string open_file = write("open", "one", 0644);
  const std::string closed_file = write("closed", "two", 0600);
  ASSERT_EQ(::symlink(open_file.c_str(), (directory_ / "link").c_str()), 0);
  EXPECT_FALSE(check_secret_file(directory_ / "link"));
  ASSERT_EQ(::unlink((directory_ / "link").c_str()), 0);
  ASSERT_EQ(::symlink(closed_file.c_str(), (directory_ / "link").c_str()), 0);
  EXPECT_EQ(*read_secret_line(directory_ / "link"), "two");
}

TEST_F(SecretFileTest, WhatIsNoFileIsSaidToBeNone) {
  EXPECT_EQ(read_secret_file(directory_ / "gone").error().message(),
            "read " + (directory_ / "gone") + ": No such file or directory");
  EXPECT_EQ(read_public_file(directory_.path()).error().message(), "read " + directory_.path() + ": it is no file");
}

}  // namespace
}  // namespace furrow::gateway
