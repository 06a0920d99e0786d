// Lines of a .cf file: conditions, comments, and the settings that speak of rules.
#include "filters/sa_config.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "filters/lua/utf8.h"
#include "gateway/base/text.h"

namespace postern::filters::sa {
namespace {

constexpr double kVersion = 4.000001;    // whose language is read

// Plugins that are off unless an administrator turns them on, or whose rules are nothing but questions to their service.
constexpr std::string_view kOffPlugins[] = {"AccessDB", "AntiVirus", "ASN", "AWL", "AutoWelcomelist", "AutoWhitelist", "DCC", "DecodeShortURLs", "ExtractText", "FromNameSpoof", "HashBL",
                                            "OLEVBMacro", "PDFInfo", "Phishing", "Pyzor", "Razor2", "RelayCountry", "ResourceLimits", "Shortcircuit", "SpamCop", "TextCat", "TxRep",
                                            "URILocalBL", "AuthRes", "Esp", "DMARC2"};

std::string_view word(std::string_view& text) {
  text = trimmed(text);
  std::size_t end = text.find_first_of(" \t");
  std::string_view out = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : trimmed(text.substr(end));
  return out;
}

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > 200 || is_digit(text[0])) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return is_alpha(c) || is_digit(c) || c == '_'; });
}

// A # begins a comment unless a backslash stands before it, which then goes.
std::string without_comment(std::string_view line) {
  std::string out;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '#') {
      if (out.empty() || out.back() != '\\') break;
      out.back() = '#';
      continue;
    }
    out += line[i];
  }
  return out;
}

std::optional<double> number(std::string_view text) {
  std::string copy(text);
  char* end = nullptr;
  double value = std::strtod(copy.c_str(), &end);
  if (copy.empty() || end != copy.c_str() + copy.size() || !std::isfinite(value) || std::fabs(value) > 1000) return std::nullopt;
  return value;
}

// --- conditions: can(), has(), plugin(), version, && || ! ( )

class Condition {
 public:
  explicit Condition(std::string_view text) : text_(text) {}
  std::optional<bool> whole() {
    auto value = any();
    skip();
    return at_ == text_.size() && good_ ? std::optional(value) : std::nullopt;
  }

 private:
  void skip() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }
  bool take(std::string_view what) {
    skip();
    if (!text_.substr(at_).starts_with(what)) return false;
    at_ += what.size();
    return true;
  }
  static bool is_space(char c) { return c == ' ' || c == '\t'; }
  bool any() {
    bool value = all();
    while (good_ && take("||")) value = all() || value;
    return value;
  }
  bool all() {
    bool value = one();
    while (good_ && take("&&")) value = one() && value;
    return value;
  }
  bool fail() { return good_ = false; }
  bool one() {
    if (++depth_ > static_cast<int>(kMaxNested)) return fail();
    bool value = inner();
    --depth_;
    return value;
  }
  bool inner() {
    if (take("!")) return !one();
    if (take("(")) {
      bool value = any();
      return take(")") ? value : fail();
    }
    for (std::string_view call : {"plugin", "can", "has"}) {
      if (!take(call)) continue;
      if (!take("(")) return fail();
      auto end = text_.find(')', at_);
      if (end == std::string_view::npos) return fail();
      std::string_view argument = trimmed(text_.substr(at_, end - at_));
      at_ = end + 1;
      return call == "plugin" ? has_plugin(argument) : can(argument);
    }
    if (take("local_tests_only")) return false;
    if (take("perl_version")) return compared(5.036);
    if (take("version")) return compared(kVersion);
    return fail();
  }
  // What later versions of the language brought.  Captured text in patterns is the one that is not translated.
  static bool can(std::string_view feature) {
    if (feature.find("capture_rules") != std::string_view::npos || feature.find("compat_welcomelist") != std::string_view::npos) return false;
    if (feature.find("Conf::feature_") != std::string_view::npos || feature.find("Conf::perl_min_version") != std::string_view::npos) return true;
    auto plugin = feature.rfind("::");
    return plugin != std::string_view::npos && has_plugin(feature.substr(0, plugin));
  }
  bool compared(double with) {
    std::string_view sign;
    for (std::string_view one : {">=", "<=", "==", "!=", ">", "<"}) {
      if (take(one)) {
        sign = one;
        break;
      }
    }
    skip();
    auto end = std::min(text_.size(), text_.find_first_not_of("0123456789.", at_));
    auto value = number(text_.substr(at_, end - at_));
    if (sign.empty() || !value) return fail();
    at_ = end;
    if (sign == ">=") return with >= *value;
    if (sign == "<=") return with <= *value;
    if (sign == "==") return with == *value;
    if (sign == "!=") return with != *value;
    return sign == ">" ? with > *value : with < *value;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool good_ = true;
};

// --- settings

class Reader {
 public:
  explicit Reader(Config& config) : config_(config) {}

  void read(const File& file) {
    open_.clear();
    std::size_t line = 0;
    for (std::string_view text : split(file.text, '\n')) {
      at_ = file.name + ":" + std::to_string(++line);
      if (text.size() > kMaxLine) {
        leave("a line", "it is longer than " + std::to_string(kMaxLine) + " octets");
        continue;
      }
      std::string clean = without_comment(text);
      take(trimmed(clean));
    }
    if (!open_.empty()) leave("if", "its endif is missing");
  }

 private:
  void leave(std::string_view what, std::string why) { config_.left.push_back({at_, std::string(printable(what, 60)), std::move(why)}); }

  void take(std::string_view rest) {
    std::string_view key = word(rest);
    if (key.empty()) return;
    if (key == "if" || key == "ifplugin") return begin(key, rest);
    if (key == "else") {
      if (!open_.empty()) open_.back() = !open_.back();
      return;
    }
    if (key == "endif") {
      if (!open_.empty()) open_.pop_back();
      else leave("endif", "there is no if before it");
      return;
    }
    if (std::find(open_.begin(), open_.end(), false) != open_.end()) return;
    if (key == "lang") return;      // descriptions in other languages
    setting(key, rest);
  }

  void begin(std::string_view key, std::string_view rest) {
    if (open_.size() >= kMaxNested) return leave(key, "more than 32 conditions in each other");
    auto truth = key == "ifplugin" ? std::optional(has_plugin(rest)) : condition(rest);
    if (!truth) leave("if " + std::string(rest), "the condition is not understood; what depends on it is left out");
    open_.push_back(truth.value_or(false));
  }

  Rule* rule(std::string_view name) {
    auto found = config_.rules.find(name);
    if (found != config_.rules.end()) return &found->second;
    if (!is_name(name)) return leave(name, "it is no name of a rule"), nullptr;
    if (config_.rules.size() >= kMaxRules) return leave(name, "there are more than 20000 rules"), nullptr;
    config_.order.emplace_back(name);
    Rule& made = config_.rules[std::string(name)];
    made.name = name;
    return &made;
  }

  void setting(std::string_view key, std::string_view rest) {
    static constexpr std::pair<std::string_view, Rule::Kind> kKinds[] = {
        {"header", Rule::Kind::header}, {"body", Rule::Kind::body}, {"rawbody", Rule::Kind::rawbody}, {"uri", Rule::Kind::uri},
        {"full", Rule::Kind::full}, {"mimeheader", Rule::Kind::mimeheader}, {"meta", Rule::Kind::meta}};
    for (auto [name, kind] : kKinds) {
      if (key != name) continue;
      Rule* made = rule(word(rest));
      if (made == nullptr) return;
      made->kind = kind;
      made->at = at_;
      made->definition = rest;
      return;
    }
    if (key == "score") return score(rest);
    if (key == "describe") {
      if (Rule* made = rule(word(rest))) made->describe = lua::well_formed(rest.substr(0, 300));
      return;
    }
    if (key == "tflags") return flags(rest);
    if (key == "replace_rules") {
      for (std::string_view name = word(rest); !name.empty(); name = word(rest)) {
        if (Rule* made = rule(name)) made->replace = true;
      }
      return;
    }
    for (auto [name, into] : {std::pair("replace_tag", &config_.tags), std::pair("replace_pre", &config_.pre), std::pair("replace_inter", &config_.inter),
                              std::pair("replace_post", &config_.post)}) {
      if (key != name) continue;
      std::string tag(word(rest));
      (*into)[tag] = rest;
      return;
    }
    if (key == "replace_start") config_.replace_start = rest;
    else if (key == "replace_end") config_.replace_end = rest;
    else ++config_.settings;
  }

  void score(std::string_view rest) {
    Rule* scored = rule(word(rest));
    if (scored == nullptr) return;
    std::vector<double> values;
    bool relative = false;
    for (std::string_view one = word(rest); !one.empty(); one = word(rest)) {
      if (one.starts_with('(') && one.ends_with(')')) {
        relative = true;
        one = one.substr(1, one.size() - 2);
      }
      auto value = number(one);
      if (!value) return leave("score " + scored->name, "\"" + printable(one, 20) + "\" is no number");
      values.push_back(*value);
    }
    if (values.size() != 1 && values.size() != 4) return leave("score " + scored->name, "it has neither one value nor four");
    if (relative) {
      std::vector<double> sum(4);
      for (std::size_t i = 0; i < 4; ++i) sum[i] = scored->points(i) + values[values.size() == 1 ? 0 : i];
      values = std::move(sum);
    }
    scored->scores = std::move(values);
  }

  void flags(std::string_view rest) {
    Rule* flagged = rule(word(rest));
    if (flagged == nullptr) return;
    for (std::string_view flag = word(rest); !flag.empty(); flag = word(rest)) {
      if (flag == "multiple") flagged->multiple = true;
      if (flag == "nosubject") flagged->no_subject = true;
      if (flag == "nice") flagged->nice = true;
      if (flag == "net") flagged->net = true;
      if (flag.starts_with("maxhits=")) flagged->max_hits = static_cast<std::size_t>(std::clamp(number(flag.substr(8)).value_or(0), 0.0, 1000.0));
    }
  }

  Config& config_;
  std::string at_;
  std::vector<bool> open_;   // the conditions around the line
};

}  // namespace

double Rule::points(std::size_t set) const {
  if (is_part()) return 0;
  if (scores) return scores->size() == 1 ? scores->front() : (*scores)[std::min<std::size_t>(set, 3)];
  if (name.starts_with("T_")) return nice ? -0.01 : 0.01;
  return nice ? -1 : 1;
}

bool has_plugin(std::string_view name) {
  name = trimmed(name);
  auto colon = name.rfind(':');
  if (colon == std::string_view::npos || !name.starts_with("Mail::SpamAssassin::Plugin::")) return false;
  std::string_view last = name.substr(colon + 1);
  return std::find(std::begin(kOffPlugins), std::end(kOffPlugins), last) == std::end(kOffPlugins);
}

std::optional<bool> condition(std::string_view text) { return Condition(text).whole(); }

Config read_config(const std::vector<File>& files) {
  Config config;
  Reader reader(config);
  for (const File& file : files) reader.read(file);
  return config;
}

}  // namespace postern::filters::sa
