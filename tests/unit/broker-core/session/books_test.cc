#include "broker-core/session/books.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace furrow::broker {
namespace {

Books some_books() {
  Books books;
  books.delivered = 1'000'000;
  books.expired = 3;
  books.quarantined = 1;
  for (std::size_t i = 0; i < kDropReasonCount; ++i) books.dropped[i] = 10 + i;
  books.accepted = books.ended() + 7;
  return books;
}

TEST(Books, LeftIsTheSumOfEveryWayOut) {
  Books books;
  books.delivered = 1;
  books.expired = 2;
  books.quarantined = 3;
  books.drops(DropReason::QueueFull) = 4;
  books.drops(DropReason::SessionEnded) = 5;
  EXPECT_EQ(books.ended(), 15U);
}

TEST(Books, StoredBooksBalanceWithWhatIsStillWaiting) {
  const Books books = some_books();
  const Books restored = decode_books(encode(books), 7);
  EXPECT_EQ(restored.accepted, books.accepted);
  EXPECT_EQ(restored.delivered, books.delivered);
  EXPECT_EQ(restored.expired, books.expired);
  EXPECT_EQ(restored.quarantined, books.quarantined);
  EXPECT_EQ(restored.dropped, books.dropped);
}

TEST(Books, CountersThatAnOlderVersionDidNotKnowAreZero) {
  Books books;
  books.delivered = 5;
  Bytes bytes = encode(books);
  bytes.resize(4);
  const Books restored = decode_books(bytes, 2);
  EXPECT_EQ(restored.delivered, 5U);
  EXPECT_EQ(restored.drops(DropReason::SessionEnded), 0U);
  EXPECT_EQ(restored.accepted, 7U);
  EXPECT_EQ(decode_books({}, 2).accepted, 2U);
}

TEST(Books, EveryReasonHasItsName) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < kDropReasonCount; ++i) names.emplace(name(static_cast<DropReason>(i)));
  EXPECT_EQ(names.size(), kDropReasonCount);
  EXPECT_EQ(name(DropReason::QueueFull), "queue_full");
  EXPECT_EQ(name(DropReason::SalvageLost), "salvage_lost");
  EXPECT_EQ(name(DropReason::SessionEnded), "session_ended");
}

}  // namespace
}  // namespace furrow::broker
