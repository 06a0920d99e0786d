// From rules as SpamAssassin's files say them to one Lua file.
#include "filters/sa_import.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "filters/sa_eval.h"
#include "filters/sa_meta.h"
#include "filters/sa_pattern.h"
#include "gateway/base/text.h"

namespace postern::filters::sa {
namespace {

// In Lua's long brackets, or quoted where that reads better.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    auto octet = static_cast<unsigned char>(c);
    if (octet < 0x20 || octet == 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\%03u", octet);
      out += escape;
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string bracketed(std::string_view text) {
  if (text.find('\\') == std::string_view::npos && text.find('"') == std::string_view::npos) return quoted(text);
  std::string level;
  while (text.find("]" + level + "]") != std::string_view::npos || text.ends_with("]" + level)) level += '=';
  return "[" + level + "[" + std::string(text) + "]" + level + "]";
}

std::string shown(double points) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.4g", points);
  return buffer;
}

std::string_view word(std::string_view& text) {
  text = trimmed(text);
  auto end = text.find_first_of(" \t");
  auto out = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : trimmed(text.substr(end));
  return out;
}

// What becomes of one rule.
struct Line {
  Certainty certainty = Certainty::unknown;
  std::string lua;          // the statement that defines it
  std::string why;          // not translated: why
  bool eval = false;
  std::optional<Pattern> pattern;
};

class Importer {
 public:
  Importer(const std::vector<File>& files, const ImportOptions& options) : options_(options), config_(read_config(files)) {}

  Import run() {
    for (const auto& name : config_.order) translate(name, 0);
    mark_needed();
    write();
    return std::move(out_);
  }

 private:
  const Rule& rule(const std::string& name) const { return config_.rules.find(name)->second; }

  // --- one rule after the other, a meta after what it depends on

  Certainty translate(std::string_view name, int depth) {
    if (auto done = lines_.find(name); done != lines_.end()) return done->second.certainty;
    auto found = config_.rules.find(name);
    // SpamAssassin takes a name that nobody defines for a rule that never matches.
    if (found == config_.rules.end() || found->second.kind == Rule::Kind::none) return Certainty::exact;
    Line& line = lines_[std::string(name)];      // unknown while it is looked at: a meta that needs itself
    line.why = "it depends on itself";
    if (depth > 60) {
      line.why = "metas depend on each other more than 60 levels deep";
      return Certainty::unknown;
    }
    Line made;
    const Rule& one = found->second;
    auto lua = one.kind == Rule::Kind::meta ? meta(one, made, depth) : test(one, made);
    if (lua) {
      made.lua = std::move(*lua);
      if (made.certainty == Certainty::unknown) made.certainty = Certainty::exact;
    } else {
      made.certainty = Certainty::unknown;
      made.why = lua.error().text;
    }
    Line& kept = lines_[std::string(name)];
    kept = std::move(made);
    return kept.certainty;
  }

  Result<std::string> meta(const Rule& one, Line& line, int depth) {
    auto known = [&](std::string_view name) { return translate(name, depth + 1); };
    auto matching = [&](std::string_view names) {
      std::vector<std::string> out;
      std::string_view begin = names.substr(0, names.find('*'));
      for (auto at = config_.rules.lower_bound(begin); at != config_.rules.end() && at->first.starts_with(begin) && out.size() < 1'000; ++at) {
        if (at->second.kind != Rule::Kind::none && at->first != one.name) out.push_back(at->first);
      }
      return out;
    };
    auto made = translate_meta(one.definition, known, matching);
    if (!made) return made.error();
    line.certainty = made->certainty;
    std::string function = "function(" + std::string(made->lua.find("n.") != std::string::npos ? "is, n" : "is") + ") return " + made->lua + " end";
    return "sa:meta(" + quoted(one.name) + ", " + function + ")" + (line.certainty == Certainty::at_least ? "   -- less than the original" : "");
  }

  Result<std::string> test(const Rule& one, Line& line) {
    std::string_view definition = one.definition;
    if (definition.starts_with("eval:") || definition.starts_with("rbleval:")) {
      line.eval = true;
      auto lua = translate_eval(trimmed(definition.substr(definition.find(':') + 1)));
      if (!lua) return lua.error();
      return "sa:fact(" + quoted(one.name) + ", function(mail) return " + *lua + " end)";
    }
    if (one.kind == Rule::Kind::header || one.kind == Rule::Kind::mimeheader) return header(one, definition, line);
    static const std::map<Rule::Kind, std::string> kWords{{Rule::Kind::body, "body"}, {Rule::Kind::rawbody, "rawbody"}, {Rule::Kind::uri, "uri"}, {Rule::Kind::full, "full"}};
    const std::string& verb = kWords.at(one.kind);
    auto pattern = read_pattern(definition, config_, one.replace);
    if (!pattern) return pattern.error();
    // Lines, paragraphs and links lie in one text, each on its line.
    if (one.kind == Rule::Kind::body || one.kind == Rule::Kind::uri) by_line(*pattern);
    line.pattern = *pattern;
    return "sa:" + verb + "(" + quoted(one.name) + ", " + bracketed(pattern->text) + ", " + quoted(pattern->flags) + options(one) + ")";
  }

  // The same on one line of many as it is on a text of its own.
  static void by_line(Pattern& pattern) {
    if (pattern.flags.find('m') == std::string::npos) pattern.flags += 'm';
    for (std::size_t at = 0; at + 1 < pattern.text.size(); ++at) {
      if (pattern.text[at] != '\\') continue;
      char c = pattern.text[at + 1];
      if (c == 'A') pattern.text.replace(at, 2, "^");
      else if (c == 'z' || c == 'Z') pattern.text.replace(at, 2, "$");
      else ++at;
    }
  }

  std::string options(const Rule& one) const {
    std::string out;
    if (one.multiple) out += "max = " + std::to_string(one.max_hits == 0 ? 1000 : one.max_hits);
    if (one.no_subject && one.kind == Rule::Kind::body) out += std::string(out.empty() ? "" : ", ") + "subject = false";
    return out.empty() ? "" : ", { " + out + " }";
  }

  Result<std::string> header(const Rule& one, std::string_view definition, Line& line) {
    if (definition.starts_with("exists:")) {
      std::string field(trimmed(definition.substr(7)));
      if (field.find(':') != std::string::npos) field.resize(field.find(':'));
      return "sa:exists(" + quoted(one.name) + ", " + quoted(field) + ")";
    }
    std::string field(word(definition));
    std::string_view sign = word(definition);
    if (sign != "=~" && sign != "!~") return Error("it is neither =~ nor !~");
    std::optional<std::string> unset;
    if (auto at = definition.rfind("[if-unset:"); at != std::string_view::npos) {
      auto end = definition.rfind(']');
      if (end == std::string_view::npos || end < at) return Error("[if-unset: is not closed");
      unset = std::string(trimmed(definition.substr(at + 10, end - at - 10)));
      definition = trimmed(definition.substr(0, at));
    }
    if (auto why = strange_field(field, one.kind); !why.empty()) return Error(why);
    auto pattern = read_pattern(definition, config_, one.replace);
    if (!pattern) return pattern.error();
    if (sign == "=~" && one.kind == Rule::Kind::header) line.pattern = *pattern;
    std::string more;
    if (sign == "!~") more += ", absent = true";
    if (unset) more += ", unset = " + quoted(*unset);
    if (one.multiple) more += ", max = " + std::to_string(one.max_hits == 0 ? 1000 : one.max_hits);
    if (!more.empty()) more = ", { " + more.substr(2) + " }";
    std::string_view verb = one.kind == Rule::Kind::header ? "header" : "mimeheader";
    return "sa:" + std::string(verb) + "(" + quoted(one.name) + ", " + quoted(field) + ", " + bracketed(pattern->text) + ", " + quoted(pattern->flags) + more + ")";
  }

  static std::string strange_field(std::string_view field, Rule::Kind kind) {
    std::string_view base = field.substr(0, field.find(':'));
    for (char c : base) {
      if (!is_alpha(c) && !is_digit(c) && c != '-' && c != '_' && c != '.') return "\"" + printable(field, 40) + "\" is no name of a header field";
    }
    if (base.empty()) return "it names no header field";
    if (base.starts_with("ALL-")) return "the header as one relay saw it is not kept";
    if (base == "X-Spam-Relays-Trusted" || base == "X-Spam-Relays-Internal") return "no relay before ours is trusted";
    for (std::string_view rest = field.substr(base.size()); !rest.empty();) {
      rest.remove_prefix(1);
      auto one = rest.substr(0, rest.find(':'));
      if (one != "raw" && (kind == Rule::Kind::mimeheader || (one != "addr" && one != "name"))) return "\":" + printable(one, 20) + "\" of a header field is not known";
      rest.remove_prefix(one.size());
    }
    return "";
  }

  // --- what goes into the file

  bool scored(const Rule& one) const { return one.kind != Rule::Kind::none && !one.is_part() && one.points(options_.score_set) != 0; }
  bool good(std::string_view name) const {
    auto found = lines_.find(name);
    return found != lines_.end() && found->second.certainty != Certainty::unknown;
  }

  // Rules that give points, and what their metas ask for.
  void mark_needed() {
    std::vector<std::string> waiting;
    for (const auto& name : config_.order) {
      if (good(name) && scored(rule(name))) waiting.push_back(name);
    }
    while (!waiting.empty()) {
      std::string name = std::move(waiting.back());
      waiting.pop_back();
      if (!needed_.insert(name).second || rule(name).kind != Rule::Kind::meta) continue;
      // From the Lua text: what was left out of it is not needed either.
      for (auto& word : names_in(lines_.find(name)->second.lua)) {
        if (good(word)) waiting.push_back(std::move(word));
      }
    }
  }

  void count() {
    auto& figures = out_.figures;
    out_.left = config_.left;
    figures.settings = config_.settings;
    for (const auto& name : config_.order) {
      const Rule& one = rule(name);
      if (one.kind == Rule::Kind::none) {
        // A score for a rule of another file, mostly.
        if (one.scores && !one.is_part()) ++figures.settings;
        continue;
      }
      ++figures.rules;
      const Line& line = lines_.find(name)->second;
      if (line.certainty == Certainty::unknown) {
        out_.left.push_back({one.at, name, line.why});
        ++(line.eval ? figures.left_eval : line.why.starts_with("it depends on") ? figures.left_meta : figures.left_other);
        continue;
      }
      ++figures.translated;
      if (!needed_.contains(name)) ++figures.off;
      else if (scored(one)) ++figures.scored;
      else ++figures.parts;
      if (needed_.contains(name) && line.certainty == Certainty::at_least) ++figures.at_least;
      if (needed_.contains(name) && line.pattern) ++figures.patterns;
    }
  }

  std::string test_of(const Rule& one, const Line& line) const {
    if (!line.pattern || one.points(options_.score_set) < 0.1) return "";
    std::string given;
    std::string sample = sample_of(*line.pattern);
    if (sample.empty() || sample != trimmed(sample)) return "";
    if (one.kind == Rule::Kind::body) given = "text = " + quoted(sample);
    else if (one.kind == Rule::Kind::header && one.definition.starts_with("Subject ")) given = "subject = " + quoted(sample);
    else if (one.kind == Rule::Kind::header && (one.definition.starts_with("X-Mailer ") || one.definition.starts_with("User-Agent "))) given = "header = { [" + quoted(one.definition.substr(0, one.definition.find(' '))) + "] = " + quoted(sample) + " }";
    if (given.empty()) return "";
    return "test " + quoted(one.name) + " {\n  given = { " + given + " },\n  want  = { rule = " + quoted(options_.name) + ", why = " + quoted(why_of(one)) + " },\n}\n\n";
  }

  static std::string why_of(const Rule& one) { return one.name + (one.describe.empty() ? "" : ": " + one.describe); }

  void write() {
    count();
    if (out_.figures.scored == 0) return;
    std::string body, tests;
    for (const auto& name : config_.order) {
      if (!needed_.contains(name)) continue;
      const Rule& one = rule(name);
      const Line& line = lines_.find(name)->second;
      if (scored(one)) body += "\nsa:score(" + quoted(name) + ", " + shown(one.points(options_.score_set)) + (one.describe.empty() ? "" : ", " + quoted(one.describe)) + ")\n";
      body += line.lua + "\n";
      if (out_.figures.tests < options_.tests && scored(one)) {
        std::string made = test_of(one, line);
        if (!made.empty()) ++out_.figures.tests;
        tests += made;
      }
    }
    const auto& figures = out_.figures;
    std::string head = "-- Translated from SpamAssassin's rules by \"postern rules import-sa\": " + std::to_string(figures.scored) + " rules that give points, " + std::to_string(figures.parts) +
                       " parts of them.\n-- What could not be translated was listed then: " + std::to_string(out_.left.size()) + " entries.  \"is.X\": X matched; \"n.X\": how often.\n\n" +
                       "local sa = require(\"std.sa\").new()\nlocal rule, test = rule, test   -- a function has 255 near names, and this file has more texts than that\n" + body +
                       "\nrule " + quoted(options_.name) + " {\n  on    = \"message\",\n  about = \"Rules of SpamAssassin, each with its own points.\",\n" +
                       "  check = function(mail)\n    local verdicts = sa:judge(mail)\n    return table.unpack(verdicts)\n  end,\n}\n\n";
    out_.lua = head + tests;
  }

  ImportOptions options_;
  Config config_;
  std::map<std::string, Line, std::less<>> lines_;
  std::set<std::string, std::less<>> needed_;
  Import out_;
};

}  // namespace

Import import_sa(const std::vector<File>& files, const ImportOptions& options) { return Importer(files, options).run(); }

}  // namespace postern::filters::sa
