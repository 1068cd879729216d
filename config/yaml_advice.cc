#include "config/yaml_advice.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "config/messages.h"
#include "config/yaml_words.h"

namespace furrow::config {
namespace {

using Advice = std::optional<Diagnostic>;

Diagnostic error_at(Place place, std::string message) {
  return {Severity::Error, place, "YAML: " + std::move(message)};
}

bool is_before(Place one, Place other) {
  return std::tuple(one.line, one.column) < std::tuple(other.line, other.column);
}

std::string what_yaml_reads(char mark) {
  switch (mark) {
    case '*':
      return "'*' begins a reference";
    case '[':
      return "'[' begins a list";
    case '{':
      return "'{' begins a map";
    case '#':
      return "'#' begins a comment";
    case ':':
      return "': ' ends a key";
    default:
      return "'" + std::string(1, mark) + "' begins no text";
  }
}

// `*name` without `&name` may be a forgotten anchor; anything else behind the `*` is none.
bool is_reference(std::string_view text) {
  constexpr std::string_view kName = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  return text.find_first_not_of(kName, 1) == std::string_view::npos && text.size() > 1;
}

Advice forgotten_quotes(const YamlWords& words, Place failed, bool unknown_reference) {
  for (const YamlWords::Unquoted& one : words.unquoted) {
    if (is_before(failed, one.place)) break;
    // References are fine but for the one that the parser names.
    if (one.mark == '*' && !(unknown_reference && one.place.line == failed.line)) continue;
    if (one.mark == '*' && is_reference(one.text)) continue;
    return error_at(one.place, what_yaml_reads(one.mark) + ": quote it: " + as_written(one.text));
  }
  return std::nullopt;
}

Advice open_quote(const YamlWords& words, Place failed) {
  for (const YamlWords::Folded& one : words.folded) {
    if (one.is_open) return error_at(one.place, "the quote that opens here is never closed");
  }
  // One that is closed by the next quote that opens leaves that one's text bare.
  const auto closed_here = [failed](const YamlWords::Folded& one) { return one.last_line == failed.line; };
  const auto found = std::find_if(words.folded.begin(), words.folded.end(), closed_here);
  if (found == words.folded.end()) return std::nullopt;
  return error_at(found->place, "the quote that opens here ends only in line " + std::to_string(found->last_line) +
                                    ": close it here");
}

Advice tab(const YamlWords& words, Place failed) {
  if (words.tab.line == 0 || words.tab.line > failed.line) return std::nullopt;
  return error_at(words.tab, "a tab stands in the indentation: YAML takes blanks only");
}

Advice crossed_bracket(const YamlWords& words, Place failed) {
  if (!words.crossed || is_before(failed, words.crossed->place)) return std::nullopt;
  const YamlWords::Crossed& one = *words.crossed;
  return error_at(one.place, in_quotes(std::string(1, one.mark)) + " stands here where the " +
                                 in_quotes(std::string(1, one.open.mark)) + " " + in_line(one.open.place) +
                                 ", column " + std::to_string(one.open.place.column) + " is to be closed");
}

Advice open_bracket(const YamlWords& words) {
  if (words.open.empty()) return std::nullopt;
  const YamlWords::Bracket& last = words.open.back();
  const std::string close(1, last.mark == '[' ? ']' : '}');
  return error_at(last.place, "the '" + std::string(1, last.mark) + "' that opens here is never closed: a '" + close +
                                  "' is missing");
}

// The beginnings of lines that the one at `index` may stand under: the nearest in each column, from the inside out.
std::vector<const YamlWords::Begin*> levels_above(const std::vector<YamlWords::Begin>& begins, std::size_t index) {
  std::vector<const YamlWords::Begin*> levels;
  while (index-- > 0) {
    const YamlWords::Begin& one = begins[index];
    if (levels.empty() || one.place.column < levels.back()->place.column) levels.push_back(&one);
  }
  return levels;
}

// The line that the parser stumbled over begins in a column of its own: it stands a little beside its siblings.
Advice indentation(const YamlWords& words, Place failed) {
  const auto here = std::find_if(words.begins.begin(), words.begins.end(),
                                 [failed](const YamlWords::Begin& one) { return one.place.line == failed.line; });
  if (here == words.begins.end()) return std::nullopt;
  const auto levels = levels_above(words.begins, static_cast<std::size_t>(here - words.begins.begin()));
  const bool is_dash = here->text == "-";
  const YamlWords::Begin* nearest = nullptr;
  const auto distance = [&](const YamlWords::Begin& one) {
    return std::max(one.place.column, here->place.column) - std::min(one.place.column, here->place.column);
  };
  for (const YamlWords::Begin* level : levels) {
    if ((level->text == "-") != is_dash) continue;
    // The outer one of two that are as near: a section more likely stands under a section.
    if (nearest == nullptr || distance(*level) <= distance(*nearest)) nearest = level;
  }
  if (nearest == nullptr || distance(*nearest) == 0) return std::nullopt;
  const std::string kind = is_dash ? "the dashes of one list" : "the keys of one map";
  return error_at(here->place, in_quotes(here->text) + " stands in column " + std::to_string(here->place.column) +
                                   ", but " + in_quotes(nearest->text) + " " + in_line(nearest->place) + " in column " +
                                   std::to_string(nearest->place.column) + ": " + kind + " stand below each other");
}

}  // namespace

Advice yaml_advice(std::string_view text, Place failed, bool unknown_reference) {
  const YamlWords words = split_yaml(text);
  if (Advice advice = forgotten_quotes(words, failed, unknown_reference)) return advice;
  if (unknown_reference) return std::nullopt;
  if (Advice advice = open_quote(words, failed)) return advice;
  if (Advice advice = tab(words, failed)) return advice;
  if (Advice advice = crossed_bracket(words, failed)) return advice;
  if (Advice advice = open_bracket(words)) return advice;
  return indentation(words, failed);
}

}  // namespace furrow::config
