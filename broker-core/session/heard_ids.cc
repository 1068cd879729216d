#include "broker-core/session/heard_ids.h"

#include <algorithm>

#include "broker-core/base/varint.h"

namespace furrow::broker {

namespace {

constexpr std::uint8_t kAll = 0;
constexpr std::uint8_t kRuns = 1;
constexpr std::uint8_t kBits = 2;
constexpr std::size_t kBitsBytes = HeardIds::kBlockIds / 8;

constexpr std::uint64_t block_of(std::uint64_t sequence) {
  return sequence >> HeardIds::kBlockShift;
}

constexpr std::uint64_t life_of_block(std::uint64_t block) {
  return life_of(block << HeardIds::kBlockShift);
}

constexpr std::size_t place_in_block(std::uint64_t sequence) {
  return sequence & (HeardIds::kBlockIds - 1);
}

// The first place from `from` on that is in `ids`, or is not; kBlockIds when there is none.
std::size_t next_place(const HeardIds::Ids& ids, std::size_t from, bool is_in) {
  while (from < HeardIds::kBlockIds && ids[from] != is_in) ++from;
  return from;
}

std::optional<HeardIds::Ids> decode_runs(ByteView runs) {
  HeardIds::Ids ids;
  std::size_t end = 0;
  while (!runs.empty()) {
    std::uint64_t distance = 0;
    std::uint64_t count = 0;
    if (!take_varint(runs, distance) || !take_varint(runs, count)) return std::nullopt;
    const std::size_t room = HeardIds::kBlockIds - end;
    if (distance > room || count == 0 || count > room - distance) return std::nullopt;
    const std::size_t first = end + static_cast<std::size_t>(distance);
    end = first + static_cast<std::size_t>(count);
    for (std::size_t place = first; place < end; ++place) ids.set(place);
  }
  return ids;
}

}  // namespace

Bytes encode_heard(const HeardIds::Ids& ids) {
  if (ids.all()) return {kAll};
  ByteBuffer runs;
  runs.push_back(kRuns);
  std::size_t end = 0;
  for (std::size_t first = next_place(ids, 0, true); first < HeardIds::kBlockIds && runs.size() <= kBitsBytes;
       first = next_place(ids, end, true)) {
    put_varint(runs, first - end);
    end = next_place(ids, first, false);
    put_varint(runs, end - first);
  }
  if (runs.size() <= kBitsBytes) return copy_of(runs.view());
  Bytes bits(1 + kBitsBytes);
  bits.front() = kBits;
  for (std::size_t place = 0; place < HeardIds::kBlockIds; ++place) {
    if (ids[place]) bits[1 + place / 8] |= static_cast<std::uint8_t>(1U << (place % 8));
  }
  return bits;
}

std::optional<HeardIds::Ids> decode_heard(ByteView row) {
  if (row.empty()) return std::nullopt;
  const ByteView rest = row.subspan(1);
  switch (row.front()) {
    case kAll:
      if (!rest.empty()) return std::nullopt;
      return HeardIds::Ids().set();
    case kRuns:
      return decode_runs(rest);
    case kBits: {
      if (rest.size() != kBitsBytes) return std::nullopt;
      HeardIds::Ids ids;
      for (std::size_t place = 0; place < HeardIds::kBlockIds; ++place) {
        ids[place] = (rest[place / 8] >> (place % 8) & 1U) != 0;
      }
      return ids;
    }
    default:
      return std::nullopt;
  }
}

// --- ids ---

const HeardIds::Origin* HeardIds::find(std::string_view name, std::uint64_t life) const {
  for (const Origin& origin : origins_) {
    if (origin.life == life && origin.name == name) return &origin;
  }
  return nullptr;
}

HeardIds::Origin* HeardIds::find(std::uint32_t number) {
  const auto found = std::ranges::find(origins_, number, &Origin::number);
  return found == origins_.end() ? nullptr : &*found;
}

HeardIds::Block* HeardIds::find_block(Origin& origin, std::uint64_t number) {
  const auto found = origin.blocks.find(number);
  return found == origin.blocks.end() ? nullptr : &found->second;
}

HeardIds::Origin& HeardIds::find_or_add(std::string_view name, std::uint64_t life) {
  if (Origin* const known = find(name, life)) return *known;
  if (origins_.size() >= kOriginsMax) forget_one();
  return origins_.emplace_back(Origin{.number = ++last_number_, .name = std::string(name), .life = life, .blocks = {}});
}

void HeardIds::forget_one() {
  const auto longest_ago = std::ranges::min_element(origins_, {}, &Origin::heard);
  for (const auto& [number, block] : longest_ago->blocks) removed_.push_back({longest_ago->name, number, std::nullopt});
  origins_.erase(longest_ago);
}

HeardIds::Verdict HeardIds::judge(const MessageId& id) const {
  const Origin* const origin = find(id.origin, life_of(id.sequence));
  if (origin == nullptr) return Verdict::New;
  if (id.sequence < begin_of(*origin)) return Verdict::Older;
  const auto found = origin->blocks.find(block_of(id.sequence));
  if (found == origin->blocks.end()) return Verdict::New;
  const Sets* const sets = found->second.sets.get();
  return sets == nullptr || sets->taken[place_in_block(id.sequence)] ? Verdict::Had : Verdict::New;
}

HeardIds::Mark HeardIds::note_taken(const MessageId& id) {
  Origin& origin = find_or_add(id.origin, life_of(id.sequence));
  origin.heard = ++heard_;
  if (id.sequence < begin_of(origin)) return {};
  const auto [found, is_new] = origin.blocks.try_emplace(block_of(id.sequence));
  Block& block = found->second;
  if (is_new) block.sets = std::make_unique<Sets>();
  if (block.sets) block.sets->taken.set(place_in_block(id.sequence));
  if (id.sequence >= origin.end) {
    origin.end = id.sequence + 1;
    slide(origin);
  }
  return {origin.number, id.sequence};
}

void HeardIds::slide(Origin& origin) {
  const std::uint64_t first = block_of(begin_of(origin));
  while (origin.blocks.begin()->first < first) {
    removed_.push_back({origin.name, origin.blocks.begin()->first, std::nullopt});
    origin.blocks.erase(origin.blocks.begin());
  }
}

void HeardIds::set_safe(Mark mark, bool safe) {
  Origin* const origin = find(mark.origin);
  if (origin == nullptr) return;
  Block* const block = find_block(*origin, block_of(mark.sequence));
  if (block == nullptr) return;
  if (!block->sets) {
    if (safe) return;
    block->sets = std::make_unique<Sets>(Sets{.taken = Ids().set(), .safe = Ids().set()});
  }
  const std::size_t place = place_in_block(mark.sequence);
  if (block->sets->safe[place] == safe) return;
  block->sets->safe[place] = safe;
  block->safe = safe ? block->safe + 1 : block->safe - 1;
  note_change(*origin, block_of(mark.sequence), *block);
  if (block->safe == kBlockIds) block->sets.reset();
}

// --- the store ---

void HeardIds::note_change(const Origin& origin, std::uint64_t number, Block& block) {
  if (!std::exchange(block.changed, true)) changed_.push_back({origin.number, number});
}

void HeardIds::restore(const std::vector<HeardRow>& rows) {
  for (const HeardRow& row : rows) {
    const std::optional<Ids> ids = row.data ? decode_heard(*row.data) : std::nullopt;
    const bool has_place = origins_.size() < kOriginsMax || find(row.origin, life_of_block(row.block)) != nullptr;
    if (!ids || ids->none() || !has_place) {
      removed_.push_back({row.origin, row.block, std::nullopt});
      continue;
    }
    Origin& origin = find_or_add(row.origin, life_of_block(row.block));
    Block& block = origin.blocks[row.block];
    block.safe = ids->count();
    if (!ids->all()) block.sets = std::make_unique<Sets>(Sets{.taken = *ids, .safe = *ids});
    std::size_t last = kBlockIds - 1;
    while (!(*ids)[last]) --last;
    origin.end = std::max(origin.end, (row.block << kBlockShift) + last + 1);
  }
  for (Origin& origin : origins_) slide(origin);
}

void HeardIds::write(std::vector<HeardRow>& rows) {
  rows.insert(rows.end(), removed_.begin(), removed_.end());
  removed_.clear();
  for (const Place& place : std::exchange(changed_, {})) {
    Origin* const origin = find(place.origin);
    Block* const block = origin != nullptr ? find_block(*origin, place.block) : nullptr;
    if (block == nullptr) continue;
    block->changed = false;
    rows.push_back({origin->name, place.block, encode_heard(block->sets ? block->sets->safe : Ids().set())});
  }
}

void HeardIds::handle_not_written(std::vector<HeardRow>& rows) {
  for (HeardRow& row : rows) {
    Origin* const origin = find(row.origin, life_of_block(row.block));
    if (Block* const block = origin != nullptr ? find_block(*origin, row.block) : nullptr) {
      note_change(*origin, row.block, *block);
    } else {
      removed_.push_back({std::move(row.origin), row.block, std::nullopt});
    }
  }
}

std::size_t HeardIds::open_blocks_for_test() const {
  std::size_t open = 0;
  for (const Origin& origin : origins_) {
    open += static_cast<std::size_t>(
        std::ranges::count_if(origin.blocks, [](const auto& one) { return one.second.sets != nullptr; }));
  }
  return open;
}

}  // namespace furrow::broker
