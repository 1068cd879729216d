#include "gateway/net/layer_stack.h"

#include <algorithm>
#include <utility>

#include "broker-core/base/check.h"

namespace furrow::gateway {
namespace {

// What went wrong, with the name of the layer before it.
Status named(const Layer& layer, Status status) {
  if (status) return status;
  return std::move(status).error().within(layer.name());
}

}  // namespace

LayerStack::LayerStack(std::vector<std::unique_ptr<Layer>> layers) {
  for (std::unique_ptr<Layer>& layer : layers) {
    FURROW_CHECK(layer != nullptr);
    levels_.push_back({.layer = std::move(layer), .waiting = {}, .words = {}});
  }
}

Status LayerStack::begin() {
  return begin_ready();
}

Status LayerStack::begin_ready() {
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    Level& level = levels_[i];
    if (!level.begun) {
      level.begun = true;
      FURROW_TRY_STATUS(named(*level.layer, level.layer->begin(below(i))));
      FURROW_TRY_STATUS(settle(i));
    }
    if (level.layer->phase() == Layer::Phase::Opening) break;
  }
  return {};
}

Status LayerStack::settle(std::size_t level) {
  for (; level > 0; --level) {
    Layer& lower = *levels_[level - 1].layer;
    ByteBuffer& words = levels_[level].words;
    while (!words.empty()) FURROW_TRY_STATUS(named(lower, lower.write(words, below(level - 1))));
    words.release();
  }
  return {};
}

Result<MutableBytes> LayerStack::read(MutableBytes& raw) {
  FURROW_CHECK(!busy());
  Result<MutableBytes> piece = read_from(levels_.size(), raw);
  if (piece && piece->empty()) FURROW_TRY_STATUS(begin_ready());
  return piece;
}

Result<MutableBytes> LayerStack::read_from(std::size_t count, MutableBytes& raw) {
  if (count == 0) return std::exchange(raw, {});
  const std::size_t index = count - 1;
  while (true) {
    if (levels_[index].begun) {
      Level& level = levels_[index];
      Result<MutableBytes> piece = level.layer->read(level.waiting, below(index));
      // An alert goes out although its connection ends.
      Status said = settle(index);
      if (!piece) return std::move(piece).error().within(level.layer->name());
      if (!said) return std::move(said).error();
      if (!piece->empty()) return piece;
      FURROW_CHECK(level.waiting.empty());
    }
    FURROW_TRY(const MutableBytes more, read_from(index, raw));
    if (more.empty()) return MutableBytes();
    // Who gives something for above has opened: now the level above it begins, if it has not.
    FURROW_TRY_STATUS(begin_ready());
    levels_[index].waiting = more;
  }
}

Status LayerStack::write(ByteBuffer& plain) {
  FURROW_CHECK(is_open());
  const std::size_t top = levels_.size() - 1;
  while (!plain.empty()) {
    Layer& layer = *levels_[top].layer;
    FURROW_TRY_STATUS(named(layer, layer.write(plain, below(top))));
    FURROW_TRY_STATUS(settle(top));
  }
  return {};
}

void LayerStack::end() {
  for (std::size_t count = levels_.size(); count > 0; --count) {
    Layer& layer = *levels_[count - 1].layer;
    if (layer.phase() == Layer::Phase::Opening) continue;
    layer.end(below(count - 1));
    if (!settle(count - 1)) return;
  }
}

bool LayerStack::is_open() const {
  return std::ranges::none_of(levels_,
                              [](const Level& level) { return level.layer->phase() == Layer::Phase::Opening; });
}

std::string_view LayerStack::opening() const {
  const auto level =
      std::ranges::find_if(levels_, [](const Level& one) { return one.layer->phase() == Layer::Phase::Opening; });
  FURROW_CHECK(level != levels_.end());
  return level->layer->name();
}

Status LayerStack::judge(WallTime now) {
  for (const Level& level : levels_) {
    if (level.layer.get() != busy_) FURROW_TRY_STATUS(named(*level.layer, level.layer->judge(now)));
  }
  return {};
}

void LayerStack::introduce(Introduction& introduction) const {
  for (const Level& level : levels_) level.layer->introduce(introduction);
}

std::unique_ptr<Layer::Job> LayerStack::take_job() {
  FURROW_CHECK(!busy());
  for (const Level& level : levels_) {
    if (std::unique_ptr<Layer::Job> job = level.layer->take_job()) {
      busy_ = level.layer.get();
      return job;
    }
  }
  return nullptr;
}

Status LayerStack::give_back(std::unique_ptr<Layer::Job> job) {
  FURROW_CHECK(busy());
  Layer& layer = *std::exchange(busy_, nullptr);
  const auto level = std::ranges::find_if(levels_, [&](const Level& one) { return one.layer.get() == &layer; });
  const auto index = static_cast<std::size_t>(level - levels_.begin());
  Status taken = named(layer, layer.give_back(std::move(job), below(index)));
  FURROW_TRY_STATUS(settle(index));
  FURROW_TRY_STATUS(std::move(taken));
  return begin_ready();
}

void LayerStack::shed() {
  FURROW_CHECK(is_open());
  std::erase_if(levels_, [](const Level& level) { return level.layer->phase() == Layer::Phase::Through; });
}

}  // namespace furrow::gateway
