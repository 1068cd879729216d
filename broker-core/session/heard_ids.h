// Which messages of a mesh this gateway has had: of each of 64 origins the last 2^20 sequences, whatever is missing.
//
// An origin of whom nothing was heard for longest makes room for a new one; a new life of an origin (message_id.h) is a
// new one. What is older than the window of its origin is not known. An id counts as had from when its message was
// taken. The store gets it once that message is safe: a crash may bring back an id that is not known, and then its
// message comes twice, but never an id whose message is gone.
//
// A window consists of blocks of 4096 sequences, each of which is a row of the store. A block of which all is safe
// takes no memory but its name; another one 1 KiB. So an origin takes a few KiB where all of its messages come here,
// and 257 KiB where only some do.
//
//   row  := all | runs | bits         its key: the origin, and sequence / 4096
//   all  := 0
//   runs := 1 (distance count)*       varints: `count` ids that begin `distance` behind the end of the run before
//   bits := 2 byte:512                lowest bit first; rows are the shorter of the two
//
// Thread: loop. Knows neither messages nor time: what is heard last is what was taken last.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker-core/message_id.h"
#include "broker-core/store.h"

namespace furrow::broker {

class HeardIds {
 public:
  static constexpr std::uint64_t kWindow = std::uint64_t{1} << 20U;
  static constexpr std::size_t kOriginsMax = 64;
  static constexpr unsigned kBlockShift = 12;
  static constexpr std::size_t kBlockIds = std::size_t{1} << kBlockShift;
  using Ids = std::bitset<kBlockIds>;

  // Names an id that was taken, while its origin is known. Empty: none, or one that is older than the window.
  struct Mark {
    std::uint32_t origin = 0;
    std::uint64_t sequence = 0;

    explicit operator bool() const { return origin != 0; }
  };

  enum class Verdict : std::uint8_t { New, Had, Older };
  Verdict judge(const MessageId& id) const;
  // The message is taken.
  Mark note_taken(const MessageId& id);
  // It needs nothing more to be kept; or it does, after all. An empty mark, or one of an origin that is gone, changes
  // nothing.
  void note_safe(Mark mark) {
    if (mark) set_safe(mark, true);
  }
  void note_unsafe(Mark mark) {
    if (mark) set_safe(mark, false);
  }

  // --- the store ---
  // `rows` are all that the store has.
  void restore(const std::vector<HeardRow>& rows);
  bool has_changes() const { return !changed_.empty() || !removed_.empty(); }
  // Adds the rows that have changed since the last call, with the ids that are safe.
  void write(std::vector<HeardRow>& rows);
  // The store did not take these: they have changed still.
  void handle_not_written(std::vector<HeardRow>& rows);

  std::size_t origins() const { return origins_.size(); }
  // Blocks that take memory of their own.
  std::size_t open_blocks_for_test() const;

 private:
  struct Sets {
    Ids taken;
    Ids safe;
  };
  struct Block {
    std::unique_ptr<Sets> sets;  // none: all ids are safe
    std::size_t safe = 0;
    bool changed = false;  // it is in changed_
  };
  struct Origin {
    std::uint32_t number;
    std::string name;
    std::uint64_t life;
    std::uint64_t end = 0;    // behind the highest sequence that was taken
    std::uint64_t heard = 0;  // the later, the higher
    std::map<std::uint64_t, Block> blocks;
  };
  struct Place {
    std::uint32_t origin;
    std::uint64_t block;
  };

  static std::uint64_t begin_of(const Origin& origin) { return origin.end > kWindow ? origin.end - kWindow : 0; }
  const Origin* find(std::string_view name, std::uint64_t life) const;
  Origin* find(std::string_view name, std::uint64_t life) {
    return const_cast<Origin*>(std::as_const(*this).find(name, life));
  }
  Origin* find(std::uint32_t number);
  static Block* find_block(Origin& origin, std::uint64_t number);
  Origin& find_or_add(std::string_view name, std::uint64_t life);
  void forget_one();
  // Takes away the blocks below the window.
  void slide(Origin& origin);
  void set_safe(Mark mark, bool safe);
  void note_change(const Origin& origin, std::uint64_t number, Block& block);

  std::vector<Origin> origins_;
  std::uint32_t last_number_ = 0;
  std::uint64_t heard_ = 0;
  std::vector<Place> changed_;
  std::vector<HeardRow> removed_;  // rows that the store is to forget
};

// The ids of a block as the store keeps them; nothing when the bytes make no sense.
Bytes encode_heard(const HeardIds::Ids& ids);
std::optional<HeardIds::Ids> decode_heard(ByteView row);

}  // namespace furrow::broker
