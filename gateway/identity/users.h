// Users and the hashes of their passwords, as a file has them.
//
//   file := line*
//   line := user ":" hash             the user without control characters and without `:`; perhaps empty: a name, too
//         | "#" anything | nothing    comments, and empty lines
//
// The file counts as a whole: a line that is not understood, or a user that is there twice, is an error that says
// where, and nobody is known then. A file without users is one. Mosquitto's files are read as they are, where their
// hashes are slow ones. No file and no thread.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "broker-core/base/result.h"
#include "gateway/identity/password_hash.h"

namespace furrow::gateway {

class Users {
 public:
  // `name` is the file, for messages: `passwords:7: …`.
  static Result<Users> parse(std::string_view text, std::string_view name);
  // Why nobody can be called that; empty when one can.
  static std::string_view fault_of_name(std::string_view user);

  // nullptr when there is none.
  const PasswordHash* find(std::string_view user) const;
  // The hash of one of the users, by a number that is as good as random; nullptr when there are none.
  const PasswordHash* any(std::uint64_t number) const;
  void set(std::string_view user, PasswordHash hash);
  // False when there is none.
  bool erase(std::string_view user);
  std::size_t size() const { return hashes_.size(); }

  template <typename Visit>
  void for_each(Visit visit) const {
    for (const auto& [user, hash] : hashes_) visit(user, hash);
  }

 private:
  std::map<std::string, PasswordHash, std::less<>> hashes_;
};

}  // namespace furrow::gateway
