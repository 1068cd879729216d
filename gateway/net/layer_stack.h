// Layers upon each other, as one: bytes of the socket in, plain bytes out, and back. Pure.
//
// After each call that may have said something output() is what the socket should get.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "gateway/net/layer.h"

namespace furrow::gateway {

class LayerStack {
 public:
  // The layer next to the socket first; none is null.
  explicit LayerStack(std::vector<std::unique_ptr<Layer>> layers);

  // The lowest layer begins. Call once, before anything else.
  Status begin();
  // Takes bytes off the front of `raw`, and returns what they hold for the owner: borrowed until the next read(),
  // perhaps from `raw`. Empty: all of `raw` has been taken, and there is no more. REQUIRES: !busy().
  Result<MutableBytes> read(MutableBytes& raw);
  // Takes all of `plain`. REQUIRES: is_open().
  Status write(ByteBuffer& plain);
  // Every layer that is open says goodbye, from the uppermost down.
  void end();

  ByteBuffer& output() { return output_; }

  // Every layer has opened.
  bool is_open() const;
  // The name of the lowest layer that is opening. REQUIRES: !is_open().
  std::string_view opening() const;
  // As Layer::judge(), of all layers. A busy one is still to be judged.
  Status judge(WallTime now);
  // Each layer, the one next to the socket first.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const Level& level : levels_) visit(*level.layer);
  }
  // REQUIRES: is_open().
  void introduce(Introduction& introduction) const;

  // What a layer wants to have done on another thread; null: nothing.
  std::unique_ptr<Layer::Job> take_job();
  bool busy() const { return busy_ != nullptr; }
  // REQUIRES: busy().
  Status give_back(std::unique_ptr<Layer::Job> job);

  // Lets go of layers that only pass bytes on. REQUIRES: is_open(); read() has given everything.
  void shed();
  bool empty() const { return levels_.empty(); }

 private:
  struct Level {
    std::unique_ptr<Layer> layer;
    bool begun = false;
    MutableBytes waiting;  // what the level below gave and this one has not taken yet
    ByteBuffer words;      // what this one said, until the level below has wrapped it; not for the lowest
  };

  ByteBuffer& below(std::size_t level) { return level == 0 ? output_ : levels_[level].words; }
  // Wraps what `level` has said in all levels below it.
  Status settle(std::size_t level);
  // Begins every level whose turn it is.
  Status begin_ready();
  // As read(), of the lowest `count` levels.
  Result<MutableBytes> read_from(std::size_t count, MutableBytes& raw);

  std::vector<Level> levels_;
  ByteBuffer output_;
  Layer* busy_ = nullptr;  // whose job is out
};

}  // namespace furrow::gateway
