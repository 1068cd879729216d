#include "gateway/store/row_walk.h"

#include <utility>

namespace furrow::gateway {

Result<RowWalk> RowWalk::prepare(Database& database, const std::string& table, const std::string& key,
                                 const std::string& columns) {
  const std::string select = "SELECT " + key + ", " + columns + " FROM " + table + " WHERE " + key;
  FURROW_TRY(Statement scan, database.prepare(select + " BETWEEN ?1 AND ?2 ORDER BY " + key));
  FURROW_TRY(Statement lookup, database.prepare(select + " = ?1"));
  return RowWalk(std::move(scan), std::move(lookup));
}

void RowWalk::start(std::uint64_t first, std::uint64_t last) {
  stop();
  status_ = {};
  next_ = first;
  last_ = last;
  lookups_left_ = 0;
}

void RowWalk::stop() {
  scan_.reset();
  lookup_.reset();
  scanning_ = looking_up_ = false;
  next_ = 1;
  last_ = 0;
}

RowWalk::Step RowWalk::next() {
  if (next_ > last_) return Step::End;
  if (lookups_left_ > 0) return look_up();
  if (!scanning_) {
    lookup_.reset();
    looking_up_ = false;
    scan_.bind(1, next_);
    scan_.bind(2, last_);
    scanning_ = true;
  }
  Result<bool> row = scan_.step();
  if (!row && is_fatal(row.error())) return fail(std::move(row).error());
  if (!row) {
    scanning_ = false;
    lookups_left_ = last_ == kKeyMax ? kLookupsMax : last_ - next_ + 1;
    return look_up();
  }
  if (!*row) {
    stop();
    return Step::End;
  }
  key_ = scan_.number(0);
  next_ = key_ + 1;
  return Step::Row;
}

RowWalk::Step RowWalk::fail(Error error) {
  stop();
  status_ = std::move(error);
  return Step::End;
}

RowWalk::Step RowWalk::look_up() {
  looking_up_ = true;
  while (next_ <= last_ && lookups_left_ > 0) {
    --lookups_left_;
    key_ = next_++;
    lookup_.reset();
    lookup_.bind(1, key_);
    Result<bool> row = lookup_.step();
    if (!row && is_fatal(row.error())) return fail(std::move(row).error());
    if (!row) {
      if (lookups_left_ == 0) next_ = last_ + 1;
      return Step::Unreadable;
    }
    if (*row) {
      lookups_left_ = 0;  // the next step scans on from here
      return Step::Row;
    }
  }
  stop();
  return Step::End;
}

}  // namespace furrow::gateway
