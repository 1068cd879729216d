// The entries of a small text file, one a line, with their numbers: users, pre-shared keys.
//
//   file = (entry [CR] LF)* [entry]        lines that are empty or begin with `#` hold no entry
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>

namespace furrow::gateway {

class EntryLines {
 public:
  // Borrows the text, and so do its entries.
  explicit EntryLines(std::string_view text) : rest_(text) {}

  // The next entry; nothing behind the last one.
  std::optional<std::string_view> next() {
    while (!rest_.empty()) {
      const std::size_t end = std::min(rest_.find('\n'), rest_.size());
      std::string_view line = rest_.substr(0, end);
      rest_.remove_prefix(std::min(end + 1, rest_.size()));
      ++number_;
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (!line.empty() && !line.starts_with('#')) return line;
    }
    return std::nullopt;
  }
  // The line of the entry that came last, counted from 1.
  std::size_t number() const { return number_; }

 private:
  std::string_view rest_;
  std::size_t number_ = 0;
};

}  // namespace furrow::gateway
