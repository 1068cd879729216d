#include "config/include_files.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <memory>
#include <utility>

#include "config/messages.h"

namespace furrow::config {
namespace {

constexpr std::string_view kInclude = "include";

// The place in `map` of the value of `key`; the end when there is none.
std::vector<YamlNode>::iterator value_of(YamlNode& map, std::string_view key) {
  for (std::size_t i = 0; i + 1 < map.items.size(); i += 2) {
    const bool is_it = map.items[i].kind == YamlNode::Kind::Scalar && map.items[i].text == key;
    if (is_it) return map.items.begin() + static_cast<std::ptrdiff_t>(i + 1);
  }
  return map.items.end();
}

void merge(YamlNode& into, YamlNode from) {
  for (std::size_t i = 0; i + 1 < from.items.size(); i += 2) {
    YamlNode& name = from.items[i];
    YamlNode& value = from.items[i + 1];
    const auto present = value_of(into, name.text);
    if (present == into.items.end()) {
      into.items.push_back(std::move(name));
      into.items.push_back(std::move(value));
    } else if (present->kind == YamlNode::Kind::Null) {
      *present = std::move(value);
    } else if (present->kind == YamlNode::Kind::Map && value.kind == YamlNode::Kind::Map) {
      merge(*present, std::move(value));
    } else if (present->kind == YamlNode::Kind::List && value.kind == YamlNode::Kind::List) {
      std::ranges::move(value.items, std::back_inserter(present->items));
    } else if (value.kind != YamlNode::Kind::Null) {
      into.items.push_back(std::move(name));
      into.items.push_back(std::move(value));
    }
  }
}

void mark(YamlNode& node, const std::shared_ptr<const SourceFile>& file) {
  node.place.file = file;
  for (YamlNode& one : node.items) mark(one, file);
}

std::size_t count_nodes(const YamlNode& node) {
  std::size_t count = 1;
  for (const YamlNode& one : node.items) count += count_nodes(one);
  return count;
}

class Includer {
 public:
  Includer(YamlNode& root, const IncludeOptions& options, Diagnostics& diagnostics)
      : root_(root), options_(options), diagnostics_(diagnostics) {}

  Diagnostics run() {
    const auto patterns = value_of(root_, kInclude);
    if (patterns == root_.items.end()) return {};
    if (patterns->kind == YamlNode::Kind::List) {
      for (const YamlNode& pattern : patterns->items) find(pattern);
    } else {
      find(*patterns);
    }
    if (!files_.empty()) add_all(patterns->place);
    return std::move(notes_);
  }

 private:
  // What is no text, or has a variable that is not there, is refused by whoever reads the key.
  void find(const YamlNode& pattern) {
    if (pattern.kind != YamlNode::Kind::Scalar) return;
    const Result<std::string> text = interpolate(pattern.text, options_.environment);
    if (!text || text->empty()) return;
    const std::filesystem::path directory = std::filesystem::path(options_.file_name).parent_path();
    Result<std::vector<IncludedFile>> found = options_.find_files((directory / *text).lexically_normal().string());
    if (!found) return fail(pattern.place, "include: " + found.error().message());
    if (found->empty()) {
      notes_.push_back({Severity::Note, pattern.place, "include: " + in_quotes(*text) + " matches no file"});
    }
    for (IncludedFile& one : *found) {
      const bool is_new = std::ranges::find(files_, one.name, &IncludedFile::name) == files_.end();
      if (is_new) files_.push_back(std::move(one));
    }
  }

  void add_all(const Place& place) {
    std::size_t bytes = 0;
    for (const IncludedFile& one : files_) bytes += one.text.size();
    if (files_.size() > kIncludedFilesMax || bytes > kTextBytesMax) {
      return fail(place, "include: more than " + std::to_string(kIncludedFilesMax) +
                             " files, or more than 1 MiB of them together");
    }
    mark(root_, std::make_shared<SourceFile>(SourceFile{.name = options_.file_name, .order = 0}));
    for (const IncludedFile& one : files_) add(one);
    if (count_nodes(root_) > kNodesMax) {
      fail(place, "include: more than " + std::to_string(kNodesMax) + " values in all files together");
    }
  }

  void add(const IncludedFile& one) {
    const auto file = std::make_shared<const SourceFile>(SourceFile{.name = one.name, .order = ++order_});
    Diagnostics found;
    YamlNode tree = parse_yaml(one.text, found);
    mark(tree, file);
    for (Diagnostic& each : found) {
      each.place.file = file;
      diagnostics_.push_back(std::move(each));
    }
    if (tree.kind == YamlNode::Kind::Null) return;
    if (tree.kind != YamlNode::Kind::Map) return fail(tree.place, "the file must be a map of 'key: value' lines");
    if (const auto inner = value_of(tree, kInclude); inner != tree.items.end()) {
      return fail(std::prev(inner)->place, "include is for the main file alone, and this one is included itself");
    }
    merge(root_, std::move(tree));
  }

  void fail(const Place& place, std::string message) {
    diagnostics_.push_back({Severity::Error, place, std::move(message)});
  }

  YamlNode& root_;
  const IncludeOptions& options_;
  Diagnostics& diagnostics_;
  std::vector<IncludedFile> files_;
  Diagnostics notes_;
  std::uint32_t order_ = 0;
};

}  // namespace

Diagnostics include_files(YamlNode& root, const IncludeOptions& options, Diagnostics& diagnostics) {
  if (root.kind != YamlNode::Kind::Map) return {};
  return Includer(root, options, diagnostics).run();
}

}  // namespace furrow::config
