// Takes secrets out of texts that leave the machine.
//
// Two rules, one of which would do: what is known to be secret is replaced wherever it stands, also as JSON and as the
// log escape it; and what looks like a secret by its place is replaced whatever it is: user and password of a URL, the
// value of a key that is called after a password, secret, token or key of one, and the body of a PEM key. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>

namespace furrow::gateway {

class SecretScrubber {
 public:
  // What is shorter cannot be told from other text; it is left out of the archive by construction alone.
  static constexpr std::size_t kSecretBytesMin = 4;
  static constexpr std::string_view kInstead = "(redacted)";

  // `secret` must not be seen; nothing happens to one that is too short.
  void add(std::string_view secret);
  // Each line of a file of secrets; of `NAME:SECRET` the second part.
  void add_lines(std::string_view text, bool has_names);
  // What a configuration says by mistake, or in a comment: as the rule of places finds it.
  void add_written(std::string_view text);

  std::string scrub(std::string_view text) const;
  std::size_t known() const { return secrets_.size(); }

 private:
  void insert(std::string secret);
  // `text` without what is known, and without what messages have cut of it: `begin…`.
  std::string without_known(std::string_view text) const;
  std::string without_cut(std::string_view text) const;
  // The longest known secret that `text` begins with; empty when there is none.
  std::string_view known_at(std::string_view text) const;

  std::set<std::string, std::less<>> secrets_;
  // Their first kSecretBytesMin bytes: most places of a text begin with none of them.
  std::unordered_set<std::uint32_t> beginnings_;
};

// `text` of YAML without its comments, with as many lines.
std::string without_comments(std::string_view text);

}  // namespace furrow::gateway
