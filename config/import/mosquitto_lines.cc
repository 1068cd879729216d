#include "config/import/mosquitto_lines.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <utility>

#include "broker-core/mqtt/utf8.h"
#include "config/messages.h"

namespace furrow::config {
namespace {

constexpr std::size_t kValueBytesMax = 0x8000;  // half of what a text may have, because prefixes are put together
constexpr std::size_t kFilesMax = 1'000;

// What Mosquitto has called some options before, or calls them as well.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kOtherNames{{
    {"addresses", "address"},
    {"clientid", "remote_clientid"},
    {"username", "remote_username"},
    {"password", "remote_password"},
    {"maximum_qos", "max_qos"},
    {"retained_persistence", "persistence"},
}};

std::string present_name(std::string_view option) {
  const auto other = std::ranges::find(kOtherNames, option, [](const auto& pair) { return pair.first; });
  return std::string(other == kOtherNames.end() ? option : other->second);
}

// Nothing for a line that holds no option.
std::optional<MosquittoLine> read_line(std::string spaced, const std::string& file, std::uint32_t number,
                                       Remarks& remarks) {
  std::ranges::replace(spaced, '\t', ' ');
  const std::string_view text = trimmed(spaced);
  if (text.empty() || text.starts_with('#')) return std::nullopt;
  const std::size_t end = std::min(text.find(' '), text.size());
  const std::string_view option = text.substr(0, end);
  MosquittoLine line{.file = file,
                     .number = number,
                     .written = std::string(option),
                     .option = present_name(option),
                     .value = std::string(trimmed(text.substr(end)))};
  if (!is_writable(text)) {
    remarks.push_back(
        line.todo("its value is too long, is no UTF-8 or has a control character in it; taken for empty"));
    line.value.clear();
  }
  return line;
}

// Without regard to case, upper case first where only that differs, as Mosquitto loads them.
bool is_loaded_before(const std::string& one, const std::string& other) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  const auto folded = std::lexicographical_compare_three_way(one.begin(), one.end(), other.begin(), other.end(),
                                                             [&](char a, char b) { return lower(a) <=> lower(b); });
  return folded == 0 ? one < other : folded < 0;
}

class MosquittoReader {
 public:
  MosquittoReader(const ImportFiles& files, Remarks& remarks) : files_(files), remarks_(remarks) {}

  std::vector<MosquittoFile> read(std::string_view text, const std::string& name) {
    std::vector<MosquittoFile> included;
    MosquittoFile main = read_lines(text, name, remarks_);
    std::erase_if(main, [&](const MosquittoLine& line) {
      if (line.option != "include_dir") return false;
      include(line, included);
      return true;
    });
    // Each file begins anew, and the main file goes on behind include_dir where it was: only for what is said twice
    // does it matter in which order they stand.
    included.insert(included.begin(), std::move(main));
    return included;
  }

 private:
  void include(const MosquittoLine& line, std::vector<MosquittoFile>& included) {
    Result<std::vector<std::string>> names = files_.list(line.value);
    if (!names) {
      remarks_.push_back(line.todo(names.error().message() + ": what stands there is missing in the result"));
      return;
    }
    std::erase_if(*names, [](const std::string& name) { return !name.ends_with(".conf"); });
    std::ranges::sort(*names, is_loaded_before);
    for (const std::string& name : *names) {
      const std::string path = line.value + (line.value.ends_with('/') ? "" : "/") + name;
      const Result<std::string> text = files_.read(path);
      if (!text) {
        remarks_.push_back(line.todo(text.error().message() + ": what stands there is missing in the result"));
      } else if (included.size() < kFilesMax) {
        included.push_back(without_includes(read_lines(*text, path, remarks_)));
      }
    }
  }

  MosquittoFile without_includes(MosquittoFile lines) {
    std::erase_if(lines, [&](const MosquittoLine& line) {
      if (line.option != "include_dir") return false;
      remarks_.push_back(line.note("counts in the main file only, for Mosquitto too"));
      return true;
    });
    return lines;
  }

  const ImportFiles& files_;
  Remarks& remarks_;
};

}  // namespace

std::optional<bool> MosquittoLine::flag() const {
  if (word() == "true" || word() == "1") return true;
  if (word() == "false" || word() == "0") return false;
  return std::nullopt;
}

std::optional<std::int64_t> MosquittoLine::number_value() const {
  constexpr std::int64_t kMost = std::int64_t{1} << 46;
  std::int64_t parsed = 0;
  const std::string_view text = word();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
  const bool is_whole = error == std::errc() && end == text.data() + text.size();
  return is_whole && parsed >= -kMost && parsed <= kMost ? std::optional(parsed) : std::nullopt;
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    if (text.empty()) return words;
    words.push_back(text.substr(0, text.find(' ')));
    text.remove_prefix(words.back().size());
  }
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

bool is_writable(std::string_view text) {
  return text.size() <= kValueBytesMax && mqtt::is_valid_utf8(text) && !mqtt::has_control_character(text);
}

MosquittoFile read_lines(std::string_view text, const std::string& name, Remarks& remarks) {
  MosquittoFile lines;
  for (std::uint32_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (auto line = read_line(std::string(text.substr(0, end)), name, number, remarks)) {
      lines.push_back(*std::move(line));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::vector<MosquittoFile> read_mosquitto_lines(std::string_view text, const std::string& name,
                                                const ImportFiles& files, Remarks& remarks) {
  return MosquittoReader(files, remarks).read(text, name);
}

}  // namespace furrow::config
