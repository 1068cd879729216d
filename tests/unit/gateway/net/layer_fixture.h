// Layers that tests can see through.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/net/layer.h"

namespace furrow::gateway {

inline MutableBytes mutable_bytes(std::string& text) {
  return {reinterpret_cast<std::uint8_t*>(text.data()), text.size()};
}

// A handshake of one line each way and a frame of `SIZE:` around everything, so that a frame and its header may come in
// pieces. Every byte is shifted by `key` on its way: the same key twice in a stack is not the same as once.
//
//   handshake = "hello " NAME "\n"; answered "welcome " NAME "\n"
//   frame     = digit byte{digit}    "0": asks for a word from the layer, "!"; "x": a mistake
class TestLayer final : public Layer {
 public:
  explicit TestLayer(std::string name, int key = 0, bool with_job = false)
      : name_(std::move(name)), key_(key), with_job_(with_job) {}

  std::string_view name() const override { return name_; }
  Phase phase() const override { return phase_; }

  Result<MutableBytes> read(MutableBytes& bytes, ByteBuffer& below) override {
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(byte - key_);
    gathered_.append(as_text(bytes));
    bytes = {};
    if (phase_ == Phase::Opening) {
      const Status opened = open(below);
      if (!opened) return opened.error();
    }
    if (phase_ == Phase::Opening) return MutableBytes();
    return next_frame(below);
  }

  Status write(ByteBuffer& plain, ByteBuffer& below) override {
    const std::size_t size = std::min<std::size_t>(plain.size(), 9);
    say(std::to_string(size) + std::string(as_text(plain.view().first(size))), below);
    plain.consume(size);
    return {};
  }
  void end(ByteBuffer& below) override {
    if (!failed_) say("bye " + name_ + "\n", below);
  }

  std::unique_ptr<Job> take_job() override { return std::move(job_); }
  Status give_back(std::unique_ptr<Job> job, ByteBuffer& below) override {
    EXPECT_TRUE(static_cast<TestJob&>(*job).has_run);
    welcome(below);
    return {};
  }

  void introduce(Introduction& introduction) const override { introduction.peer += " by " + name_; }

 private:
  struct TestJob final : Job {
    void run() override { has_run = true; }
    bool has_run = false;
  };

  Status open(ByteBuffer& below) {
    const std::string hello = "hello " + name_ + "\n";
    if (!hello.starts_with(gathered_.substr(0, hello.size()))) return fail("not a hello", below);
    if (gathered_.size() < hello.size()) return {};
    gathered_.erase(0, hello.size());
    if (with_job_) {
      job_ = std::make_unique<TestJob>();
    } else {
      welcome(below);
    }
    return {};
  }

  void welcome(ByteBuffer& below) {
    phase_ = Phase::Open;
    say("welcome " + name_ + "\n", below);
  }

  Result<MutableBytes> next_frame(ByteBuffer& below) {
    const std::size_t questions = std::min(gathered_.find_first_not_of('0'), gathered_.size());
    say(std::string(questions, '!'), below);
    gathered_.erase(0, questions);
    if (gathered_.starts_with('x')) return fail("not a frame", below);
    if (gathered_.empty() || gathered_.size() <= static_cast<std::size_t>(gathered_[0] - '0')) return MutableBytes();
    const auto size = static_cast<std::size_t>(gathered_[0] - '0');
    piece_ = gathered_.substr(1, size);
    gathered_.erase(0, 1 + size);
    return mutable_bytes(piece_);
  }

  Error fail(const char* why, ByteBuffer& below) {
    failed_ = true;
    say("alert", below);
    return {Errc::InvalidArgument, why};
  }

  void say(std::string text, ByteBuffer& below) const {
    for (char& c : text) c = static_cast<char>(c + key_);
    below.append(text);
  }

  const std::string name_;
  const int key_;
  const bool with_job_;
  Phase phase_ = Phase::Opening;
  std::string gathered_;
  std::string piece_;
  std::unique_ptr<Job> job_;
  bool failed_ = false;
};

template <typename... Some>
std::vector<std::unique_ptr<Layer>> layers(std::unique_ptr<Some>... some) {
  std::vector<std::unique_ptr<Layer>> all;
  (all.push_back(std::move(some)), ...);
  return all;
}

// `text` as the other side of a TestLayer sends it, in frames.
inline std::string framed(std::string_view text, int key = 0) {
  std::string all;
  for (; !text.empty(); text.remove_prefix(std::min<std::size_t>(text.size(), 9))) {
    all += std::to_string(std::min<std::size_t>(text.size(), 9)) + std::string(text.substr(0, 9));
  }
  for (char& c : all) c = static_cast<char>(c + key);
  return all;
}

inline std::string shifted(std::string text, int key) {
  for (char& c : text) c = static_cast<char>(c + key);
  return text;
}

}  // namespace furrow::gateway
