#include "config/import/mosquitto_import.h"

#include <algorithm>

#include "broker-core/base/printable.h"
#include "config/import/import_context.h"
#include "config/import/mosquitto_options.h"
#include "config/messages.h"
#include "config/write_yaml.h"

namespace furrow::config {
namespace {

void remark_on_untaken(const MosquittoScope& scope, Remarks& remarks) {
  for (const MosquittoLine* line : scope.untaken()) {
    const MosquittoOption* const option = find_mosquitto_option(line->option);
    const std::string_view remark = option == nullptr ? std::string_view() : option->remark;
    if (remark.starts_with("- ")) {
      remarks.push_back(line->note(std::string(remark.substr(2))));
    } else {
      remarks.push_back(line->todo(remark.empty() ? "is not translated here" : std::string(remark)));
    }
  }
}

// `text` as comment lines, broken between words.
std::string as_comment(std::string_view text) {
  constexpr std::size_t kLineBytesMax = 100;
  std::string comment;
  std::string line = "#  ";
  for (const std::string_view word : words_of(text)) {
    if (line.size() + 1 + word.size() > kLineBytesMax && line.size() > 5) {
      comment += line + "\n";
      line = "#    ";
    }
    line += (line.ends_with(' ') ? "" : " ") + std::string(word);
  }
  return comment + line + "\n";
}

}  // namespace

Imported import_mosquitto(std::string_view text, const std::string& name, const ImportFiles& files) {
  Imported imported;
  const std::vector<MosquittoFile> lines = read_mosquitto_lines(text, name, files, imported.remarks);
  MosquittoScopes scopes = sort_mosquitto_lines(lines, imported.remarks);
  const ImportContext context{name, files, imported};
  import_listeners(scopes, context);
  import_access(scopes, context);
  import_broker(scopes, context);
  import_bridges(scopes, context);
  remark_on_untaken(scopes.broker, imported.remarks);
  remark_on_untaken(scopes.security, imported.remarks);
  for (const MosquittoListener& listener : scopes.listeners) {
    remark_on_untaken(listener.options, imported.remarks);
    remark_on_untaken(listener.security, imported.remarks);
  }
  for (const MosquittoBridge& bridge : scopes.bridges) remark_on_untaken(bridge.options, imported.remarks);
  sort_by_line(imported.remarks);
  return imported;
}

void sort_by_line(Remarks& remarks) {
  std::vector<std::string> files;  // in the order in which they come up
  for (const Remark& one : remarks) {
    if (std::ranges::find(files, one.file) == files.end()) files.push_back(one.file);
  }
  const auto rank = [&](const Remark& one) { return std::pair(std::ranges::find(files, one.file), one.line); };
  std::stable_sort(remarks.begin(), remarks.end(),
                   [&](const Remark& one, const Remark& other) { return rank(one) < rank(other); });
}

std::string imported_yaml(const Imported& imported, const std::string& name) {
  std::string text = "# Made from " + printable(name, kShownBytesMax) +
                     " by 'furrow import'. 'furrow check FILE' says what else is to be known.\n";
  const auto todos = std::ranges::count(imported.remarks, Remark::Kind::Todo, &Remark::kind);
  if (todos != 0) text += "#\n# What is different now, or left to do:\n#\n";
  for (const Remark& one : imported.remarks) {
    if (one.kind == Remark::Kind::Todo) text += as_comment(format(one));
  }
  // Where all is as by default, that is said for whoever goes on from here.
  const std::string keys = write_yaml(imported.config);
  return text + "\n" + (keys.empty() ? "listeners:\n  - bind: 127.0.0.1:1883\n" : keys);
}

}  // namespace furrow::config
