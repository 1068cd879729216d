#include "config/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include "config/messages.h"
#include "config/yaml_advice.h"
#include "config/yaml_words.h"

namespace furrow::config {
namespace {

Place place_of(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {static_cast<std::uint32_t>(mark.line + 1), static_cast<std::uint32_t>(mark.column + 1)};
}

// Builds the tree from yaml-cpp's events. Throws yaml-cpp's own exception at a limit, because that is how its
// parser is left; parse_yaml() catches it.
class TreeBuilder final : public YAML::EventHandler {
 public:
  YamlNode take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) throw YAML::ParserException(mark, "one document only: take the '---' away");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const Place key = place_of_waiting_key();
    YamlNode& node = open(YamlNode::Kind::Null, mark, anchor);
    // The mark of what is not there is that of whatever comes next.
    if (key.line != 0) node.place = key;
    close();
  }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, const std::string& value) override {
    constexpr std::size_t kTextBytesPerNode = 64;
    open(YamlNode::Kind::Scalar, mark, anchor).text = value;
    count(value.size() / kTextBytesPerNode, mark);
    close();
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::List, mark, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::Map, mark, anchor);
  }
  void OnMapEnd() override { close(); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto anchored = anchored_.find(anchor);
    if (anchored == anchored_.end()) throw YAML::ParserException(mark, "an alias inside of what it stands for");
    count(anchored->second.nodes, mark);
    if (open_.size() + anchored->second.depth > kDepthMax) throw YAML::ParserException(mark, "nested too deeply");
    YamlNode copy = anchored->second.node;
    copy.place = place_of(mark);
    note_depth(anchored->second.depth);
    place_for_next() = std::move(copy);
  }

 private:
  struct Open {
    YamlNode node;
    YAML::anchor_t anchor = 0;
    std::size_t nodes_before = 0;
    std::size_t depth = 1;  // of what is inside so far, itself included
  };
  struct Anchored {
    YamlNode node;
    std::size_t nodes = 0;
    std::size_t depth = 0;
  };

  YamlNode& open(YamlNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    count(1, mark);
    if (open_.size() >= kDepthMax) throw YAML::ParserException(mark, "nested too deeply");
    Open& opened = open_.emplace_back();
    opened.node.kind = kind;
    opened.node.place = place_of(mark);
    opened.anchor = anchor;
    opened.nodes_before = nodes_ - 1;
    return opened.node;
  }

  void close() {
    Open closed = std::move(open_.back());
    open_.pop_back();
    if (closed.anchor != 0) {
      anchored_[closed.anchor] = {closed.node, nodes_ - closed.nodes_before, closed.depth};
    }
    note_depth(closed.depth);
    place_for_next() = std::move(closed.node);
  }

  // The place of the key whose value comes next; nowhere, if none does.
  Place place_of_waiting_key() const {
    if (open_.empty()) return {};
    const YamlNode& parent = open_.back().node;
    const bool is_value = parent.kind == YamlNode::Kind::Map && parent.items.size() % 2 == 1;
    return is_value ? parent.items.back().place : Place{};
  }

  YamlNode& place_for_next() { return open_.empty() ? root_ : open_.back().node.items.emplace_back(); }

  void note_depth(std::size_t depth_inside) {
    if (!open_.empty()) open_.back().depth = std::max(open_.back().depth, depth_inside + 1);
  }

  void count(std::size_t nodes, const YAML::Mark& mark) {
    nodes_ += nodes;
    if (nodes_ > kNodesMax) throw YAML::ParserException(mark, "more than " + std::to_string(kNodesMax) + " values");
  }

  YamlNode root_;
  std::vector<Open> open_;  // from the root to the node that is being read
  std::map<YAML::anchor_t, Anchored> anchored_;
  std::size_t nodes_ = 0;
  int documents_ = 0;
};

// yaml-cpp's own words, and what is usually behind them when the text itself did not tell.
std::string explain(const std::string& message) {
  if (message == YAML::ErrorMsg::MAP_VALUE || message == YAML::ErrorMsg::END_OF_MAP) {
    return message + ": look at the indentation (blanks, never tabs), and quote texts with ': ' in them";
  }
  if (message == YAML::ErrorMsg::END_OF_MAP_FLOW) return message + ": a '}' is missing";
  if (message == YAML::ErrorMsg::END_OF_SEQ_FLOW) return message + ": a ']' is missing";
  return message;
}

// `place`, or the begin of the last line for what the parser found in the comment behind the text.
Place inside(Place place, const std::string& text) {
  const auto is_line_end = [](char c) { return c == '\n' || c == '\r'; };  // yaml-cpp's
  const auto lines = static_cast<std::uint32_t>(std::count_if(text.begin(), text.end(), is_line_end) + 1);
  return place.line <= lines ? place : Place{lines, 1};
}

Diagnostic explain(const std::string& text, const YAML::Exception& problem) {
  const Place place = inside(place_of(problem.mark), text);
  const bool unknown_reference = problem.msg == YAML::ErrorMsg::UNKNOWN_ANCHOR;
  if (auto advice = yaml_advice(text, place, unknown_reference)) return *std::move(advice);
  return {Severity::Error, place, "YAML: " + explain(problem.msg)};
}

void parse(const std::string& text, TreeBuilder& builder) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  while (parser.HandleNextDocument(builder)) {
  }
}

bool may_leave_a_quote_open(const std::string& text) {
  const YamlWords words = split_yaml(text);
  return std::any_of(words.folded.begin(), words.folded.end(),
                     [](const YamlWords::Folded& one) { return one.is_open; });
}

// A byte that no text has: most likely another file was named. UTF-16 is left to yaml-cpp, which knows it by its first
// two bytes.
std::optional<Diagnostic> byte_of_no_text(const std::string& text) {
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) return std::nullopt;
  Place place{1, 1};
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_space = c == '\t' || c == '\n' || c == '\r';
    if ((byte < 0x20 && !is_space) || byte == 0x7F) {
      return Diagnostic{
          Severity::Error, place,
          "a text file has no " + in_quotes(std::string_view(&c, 1)) + ": take it away, or name another file"};
    }
    place = c == '\n' ? Place{place.line + 1, 1} : Place{place.line, place.column + 1};
  }
  return std::nullopt;
}

}  // namespace

YamlNode parse_yaml(const std::string& text, Diagnostics& diagnostics) {
  if (text.size() > kTextBytesMax) {
    diagnostics.push_back({Severity::Error, {}, "the file is larger than 1 MiB"});
    return {};
  }
  if (auto foreign = byte_of_no_text(text)) {
    diagnostics.push_back(*std::move(foreign));
    return {};
  }
  TreeBuilder builder;
  try {
    parse(text, builder);
    // yaml-cpp forgives a quote that is open where the file ends with a line, but not with a comment.
    TreeBuilder stricter;
    if (may_leave_a_quote_open(text)) parse(text + "\n#", stricter);
    return builder.take_root();
  } catch (const YAML::Exception& problem) {
    diagnostics.push_back(explain(text, problem));
    return {};
  }
}

}  // namespace furrow::config
