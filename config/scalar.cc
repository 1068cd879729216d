#include "config/scalar.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <span>

#include "broker-core/base/bytes.h"
#include "config/messages.h"

namespace furrow::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// From small to large; factors of times are microseconds.
constexpr std::array<Unit, 5> kTimeUnits{
    {{"ms", 1000}, {"s", 1'000'000}, {"m", 60'000'000}, {"h", 3'600'000'000}, {"d", 86'400'000'000}}};
constexpr std::array<Unit, 3> kSizeUnits{{{"KiB", KiB}, {"MiB", MiB}, {"GiB", GiB}}};

struct Quantity {
  std::string_view what;      // as in "is not a time"
  std::string_view units;     // as listed to the operator
  std::string_view fix_bare;  // the unit that is most often meant
  std::span<const Unit> table;
};
const Quantity kTime{"a time", "ms s m h d", "s", kTimeUnits};
const Quantity kSize{"a size", "KiB MiB GiB", "MiB", kSizeUnits};

char lower(char c) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](char c) { return lower(c); });
  return result;
}

// The unit that was probably meant: one that `word` begins with ("sec", "msec", "mib"), or else one with the same
// first letter ("MB"), whatever the case; empty if there is none.
std::string_view unit_like(std::string_view word, const Quantity& quantity) {
  while (word.starts_with(' ')) word.remove_prefix(1);
  if (word.empty()) return quantity.fix_bare;
  for (const Unit& unit : quantity.table) {
    if (lower(word).starts_with(lower(unit.name))) return unit.name;
  }
  for (const Unit& unit : quantity.table) {
    if (lower(word.front()) == lower(unit.name.front())) return unit.name;
  }
  return {};
}

std::string quantity_text(std::uint64_t value, const Quantity& quantity) {
  if (value == 0) return "0";
  const Unit* unit = &quantity.table.front();
  for (const Unit& larger : quantity.table) {
    if (value % larger.factor == 0) unit = &larger;
  }
  return std::to_string(value / unit->factor) + std::string(unit->name);
}

// The sum of "1h30m", "1.5h" or "1 h 30 min", when it is a whole number of the smallest unit.
std::optional<std::uint64_t> sum_of_parts(std::string_view text, const Quantity& quantity) {
  constexpr std::string_view kNumber = "0123456789.";
  constexpr double kSumMax = 9e15;  // what a double counts exactly
  double sum = 0;
  while (!text.empty()) {
    const std::size_t digits = std::min(text.find_first_not_of(kNumber), text.size());
    double number = 0;
    const auto read = std::from_chars(text.data(), text.data() + digits, number);
    if (digits == 0 || read.ec != std::errc{} || read.ptr != text.data() + digits) return std::nullopt;
    text.remove_prefix(digits);
    const std::string_view word = text.substr(0, text.find_first_of(kNumber));
    text.remove_prefix(word.size());
    const std::string_view meant = unit_like(word, quantity);
    for (const Unit& unit : quantity.table) {
      if (unit.name == meant) sum += number * static_cast<double>(unit.factor);
    }
    if (meant.empty() || sum > kSumMax) return std::nullopt;
  }
  const auto whole = static_cast<std::uint64_t>(sum);
  const bool is_exact = static_cast<double>(whole) == sum && whole % quantity.table.front().factor == 0;
  return is_exact ? std::optional(whole) : std::nullopt;
}

// `text` is `number` and `unit_text`.
std::string fix_for(std::string_view text, std::uint64_t number, std::string_view unit_text, const Quantity& quantity) {
  // 1048576 was counted in bytes; 4 was not.
  if (unit_text.empty() && &quantity == &kSize && number >= KiB) {
    return "write " + size_text((number / KiB + (number % KiB == 0 ? 0 : 1)) * KiB);
  }
  const bool has_parts = unit_text.find_first_of("0123456789.") != std::string_view::npos;
  const std::optional<std::uint64_t> sum = has_parts ? sum_of_parts(text, quantity) : std::nullopt;
  if (sum.has_value()) return "write " + quantity_text(*sum, quantity);
  if (&quantity == &kTime && lower(unit_text).starts_with("w") && number <= 1000) {
    return "write " + std::to_string(7 * number) + "d";
  }
  const std::string_view meant = has_parts ? std::string_view{} : unit_like(unit_text, quantity);
  if (meant.empty()) return "write a whole number and one of " + std::string(quantity.units);
  return "write " + std::to_string(number) + std::string(meant);
}

Result<std::uint64_t> parse_quantity(std::string_view text, const Quantity& quantity) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::string_view number_text = text.substr(0, digits);
  const std::string_view unit_text = text.substr(digits);
  std::uint64_t number = 0;
  const auto read = std::from_chars(number_text.data(), number_text.data() + digits, number);
  if (digits == 0) {
    return invalid(in_quotes(text) + " is not " + std::string(quantity.what) + ": write a whole number and one of " +
                   std::string(quantity.units));
  }
  // Signed, because durations are; so large that no range allows it anyway.
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (read.ec != std::errc{} || number > kMax) return invalid(in_quotes(text) + " is too large");
  if (unit_text.empty() && number == 0) return std::uint64_t{0};

  const auto unit = std::find_if(quantity.table.begin(), quantity.table.end(),
                                 [&](const Unit& one) { return one.name == unit_text; });
  if (unit == quantity.table.end()) {
    const std::string problem = unit_text.empty()
                                    ? in_quotes(text) + " needs a unit (" + std::string(quantity.units) + "): "
                                    : in_quotes(text) + " is not " + std::string(quantity.what) + ": ";
    return invalid(problem + fix_for(text, number, unit_text, quantity));
  }
  if (number > kMax / unit->factor) return invalid(in_quotes(text) + " is too large");
  return number * unit->factor;
}

bool is_variable_name(std::string_view name) {
  const auto letter = [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  const auto letter_or_digit = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  return !name.empty() && letter(name.front()) && std::all_of(name.begin(), name.end(), letter_or_digit);
}

}  // namespace

Result<Duration> parse_time(std::string_view text) {
  FURROW_TRY(const std::uint64_t microseconds, parse_quantity(text, kTime));
  return Duration(static_cast<std::int64_t>(microseconds));
}

Result<std::uint64_t> parse_size(std::string_view text) {
  return parse_quantity(text, kSize);
}

Result<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec == std::errc::result_out_of_range) return invalid(in_quotes(text) + " is too large");
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size()) {
    return invalid(in_quotes(text) + " is not a whole number");
  }
  return number;
}

std::string time_text(Duration time) {
  return quantity_text(static_cast<std::uint64_t>(time.count()), kTime);
}

std::string size_text(std::uint64_t bytes) {
  return quantity_text(bytes, kSize);
}

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
}

Result<std::string> interpolate(std::string_view text, const Environment& environment) {
  std::string replaced;
  while (!text.empty()) {
    const std::size_t dollar = std::min(text.find('$'), text.size());
    replaced += text.substr(0, dollar);
    text.remove_prefix(dollar);
    if (text.starts_with("$$")) {
      replaced += '$';
      text.remove_prefix(2);
    } else if (text.starts_with("${")) {
      const std::size_t close = text.find('}');
      if (close == std::string_view::npos) {
        return invalid("'${' without '}': write ${NAME} for a variable, $${ for the characters themselves");
      }
      const std::string name(text.substr(2, close - 2));
      if (!is_variable_name(name)) return invalid("'${" + name + "}' does not name an environment variable");
      const std::optional<std::string> value = environment(name);
      if (!value.has_value()) return invalid("environment variable " + name + " is not set");
      replaced += *value;
      text.remove_prefix(close + 1);
    } else if (!text.empty()) {
      replaced += '$';
      text.remove_prefix(1);
    }
  }
  return replaced;
}

std::vector<std::string_view> split_words(std::string_view words) {
  constexpr std::string_view kBetween = " | ";
  std::vector<std::string_view> split;
  while (!words.empty()) {
    const std::size_t end = std::min(words.find(kBetween), words.size());
    split.push_back(words.substr(0, end));
    words.remove_prefix(std::min(end + kBetween.size(), words.size()));
  }
  return split;
}

}  // namespace furrow::config
