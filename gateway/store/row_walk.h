// Walks the rows of a rowid table in the order of their keys, over places that cannot be read.
//
// An ordered scan ends at the first bad page. From there the walk looks single keys up until one is found, and scans
// on; store trials got 99 % of the rows back that way, where a scan alone got half. Thread: that of the database.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "broker-core/base/result.h"
#include "gateway/store/sqlite.h"

namespace furrow::gateway {

class RowWalk {
 public:
  // The last key for a walk whose end is unknown.
  static constexpr std::uint64_t kKeyMax = std::numeric_limits<std::int64_t>::max();
  // A walk ends after this many keys in a row were looked up in vain.
  static constexpr std::uint64_t kLookupsMax = 65'536;

  enum class Step {
    Row,         // row() has the columns, key() the key
    Unreadable,  // key() may or may not have been there
    End,
  };

  RowWalk() = default;
  // `columns` are what row() shows, from column 1 on; column 0 is the key.
  static Result<RowWalk> prepare(Database& database, const std::string& table, const std::string& key,
                                 const std::string& columns);

  // Walks the keys from `first` to `last`.
  void start(std::uint64_t first, std::uint64_t last);
  Step next();
  Statement& row() { return looking_up_ ? lookup_ : scan_; }
  std::uint64_t key() const { return key_; }
  // A medium that fails to read may succeed the next time: a walk that is not told to skip such errors ends there, and
  // status() says why. Every walk skips damage.
  void skip_io_errors(bool skip) { skips_io_errors_ = skip; }
  const Status& status() const { return status_; }
  // Ends the walk early. A walk under way keeps checkpoints from being made.
  void stop();

 private:
  RowWalk(Statement scan, Statement lookup) : scan_(std::move(scan)), lookup_(std::move(lookup)) {}
  Step look_up();
  bool is_fatal(const Error& error) const { return !skips_io_errors_ && error.code() != Errc::Corrupt; }
  Step fail(Error error);

  Statement scan_;
  Statement lookup_;
  bool skips_io_errors_ = true;
  Status status_;            // of the walk started last
  bool scanning_ = false;    // scan_ stands on the row before the next one
  bool looking_up_ = false;  // the row shown last is lookup_'s
  std::uint64_t key_ = 0;    // shown last
  std::uint64_t next_ = 0;   // not yet shown, from here on
  std::uint64_t last_ = 0;
  std::uint64_t lookups_left_ = 0;
};

}  // namespace furrow::gateway
