// How often each sign is seen in each part of a corpus, and what fuzzy digests find and confuse.
//   bench_signs CORPUS [LEAKY]    CORPUS/<set>/{ham,spam}/... one mail a file; LEAKY: names of fields that tell a set's origin
// Those fields, the traces of the last three servers and what the collector's own mailbox added are taken out before.
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "filters/fuzzy_index.h"
#include "filters/header_signs.h"
#include "filters/links.h"
#include "filters/text_signs.h"
#include "gateway/base/text.h"
#include "gateway/mail/headers.h"
#include "gateway/mail/mime.h"
#include "gateway/mail/text.h"
#include "tests/support/thread_time.h"

using namespace postern;
using namespace postern::filters;
namespace fs = std::filesystem;

namespace {

constexpr HashKey kKey{1, 2};
constexpr std::size_t kNewest = 3;   // Received fields

std::set<std::string> g_leaky = {"return-path", "delivered-to", "x-original-to", "sender"};

bool is_leaky(std::string_view name) {
  std::string small = ascii_lowered(name);
  return g_leaky.contains(small) || small.starts_with("x-ms-") || small.starts_with("arc-") || small.starts_with("list-") || small == "authentication-results";
}

std::string stripped(const std::string& message) {
  std::string_view text = message;
  if (text.starts_with("From ")) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  mail::HeaderReader reader(text);
  mail::HeaderField field;
  std::string out;
  std::size_t received = 0;
  while (reader.next(field)) {
    if (iequals(field.name, "Received") && received++ < kNewest) continue;
    if (!is_leaky(field.name)) out += text.substr(field.begin, field.end - field.begin);
  }
  return out + std::string(text.substr(reader.fields_end()));
}

struct Mail {
  bool spam = false;
  std::string file;
  std::vector<FuzzyDigest> digests;
};

// The most alike of their texts.
double alike(const Mail& one, const Mail& other) {
  double most = 0;
  for (const auto& a : one.digests) {
    for (const auto& b : other.digests) most = std::max(most, similarity(a, b));
  }
  return most;
}

struct Seen {
  std::vector<std::size_t> header = std::vector<std::size_t>(HeaderSigns::kSize);
  std::vector<std::size_t> text = std::vector<std::size_t>(SignSet<TextSign>::kSize);
  std::map<std::string, std::size_t> languages;
  std::size_t mails = 0;
};

TextContext context_of(std::string_view message, const mail::PartTable& table, std::string_view text, const std::string& subject) {
  TextContext out;
  out.subject = subject;
  LinkFinder finder;
  std::size_t images = 0, attachments = 0;
  for (const auto& part : table.parts) {
    if (part.kind != mail::Part::Kind::leaf) continue;
    if (part.type.type == "image") ++images;
    else if (part.disposition.kind == "attachment" || part.type.type != "text") ++attachments;
    if (!part.is("text", "html")) continue;
    std::string html = mail::part_text(message, part);
    finder.in_html(html);
    if (ifind(html, "<img") != std::string::npos) ++images;
  }
  finder.in_text(text);
  out.links = finder.take().size();
  out.images = images;
  out.attachments = attachments;
  return out;
}

class MapRows : public FuzzyRows {
 public:
  std::optional<std::string> get(const std::string& key) override {
    auto found = rows_.find(key);
    return found == rows_.end() ? std::nullopt : std::optional(found->second);
  }
  void put(const std::string& key, std::string value) override { rows_[key] = std::move(value); }
  void erase(const std::string& key) override { rows_.erase(key); }

 private:
  std::map<std::string, std::string> rows_;
};

// Signs that are there in every mail count from here on.
double least(TextSign sign) {
  switch (sign) {
    case TextSign::text_words: return 200;
    case TextSign::text_words_per_link: return 50;
    case TextSign::text_capitals_share: return 0.3;
    case TextSign::text_shouted_share: return 0.2;
    case TextSign::text_shouted_words: return 10;
    case TextSign::text_exclamations: return 5;
    case TextSign::text_digits_share: return 0.2;
    case TextSign::text_longest_gap: return 10;
    case TextSign::text_symbols: return 3;
    case TextSign::text_leet_words: return 2;
    default: return 1e-9;
  }
}

double least(HeaderSign sign) {
  switch (sign) {
    case HeaderSign::to_count: return 5;
    case HeaderSign::to_similar: return 0.5;
    case HeaderSign::subject_capitals_share: return 0.5;
    case HeaderSign::date_hours_behind: return 12;
    case HeaderSign::date_hours_ahead: return 1;
    case HeaderSign::mime_alternative_difference: return 0.3;
    case HeaderSign::received_count: return 3;
    default: return 1e-9;
  }
}

template <class Sign, class Infos>
void print_table(const Infos& infos, const std::vector<std::string>& parts, const std::map<std::string, Seen>& seen, std::vector<std::size_t> Seen::* counts) {
  for (std::size_t i = 0; i < infos.size(); ++i) {
    std::printf("%-34s", std::string(infos[i].name).c_str());
    for (const auto& part : parts) {
      const Seen& one = seen.at(part);
      std::printf(" %9.2f", 100.0 * static_cast<double>((one.*counts)[i]) / static_cast<double>(std::max<std::size_t>(one.mails, 1)));
    }
    std::printf("%s\n", infos[i].kind == SignKind::context ? "  context" : "");
  }
}

struct Pair {
  std::size_t one, other;
};

// Every pair of mails once, then every mail asks the index of the spam before it.
void print_fuzzy(const std::vector<Mail>& mails) {
  constexpr std::array<double, 6> kThresholds = {0.3, 0.4, 0.5, 0.6, 0.7, 0.9};
  // Of each mail: the most alike spam and ham.
  std::vector<double> spam(mails.size()), ham(mails.size());
  std::vector<Pair> confused, both_ham;
  for (std::size_t i = 0; i < mails.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      double share = alike(mails[i], mails[j]);
      if (share < kThresholds.front()) continue;
      (mails[j].spam ? spam : ham)[i] = std::max((mails[j].spam ? spam : ham)[i], share);
      (mails[i].spam ? spam : ham)[j] = std::max((mails[i].spam ? spam : ham)[j], share);
      if (share >= FuzzyIndex::kAlike && mails[i].spam != mails[j].spam) confused.push_back({i, j});
      if (share >= FuzzyIndex::kAlike && share < 0.8 && !mails[i].spam && !mails[j].spam) both_ham.push_back({i, j});
    }
  }
  for (double threshold : kThresholds) {
    std::array<std::size_t, 4> counts{};   // spam like spam, spam like ham, ham like spam, ham like ham
    for (std::size_t i = 0; i < mails.size(); ++i) {
      counts[mails[i].spam ? 0 : 2] += spam[i] >= threshold ? 1 : 0;
      counts[mails[i].spam ? 1 : 3] += ham[i] >= threshold ? 1 : 0;
    }
    std::printf("fuzzy >= %.1f: spam like other spam %zu; spam like ham %zu; ham like spam %zu; ham like other ham %zu\n", threshold, counts[0], counts[1], counts[2], counts[3]);
  }
  auto print = [&](const char* what, const std::vector<Pair>& pairs) {
    std::printf("%s: %zu pairs\n", what, pairs.size());
    for (std::size_t i = 0; i < pairs.size(); i += pairs.size() / 12 + 1) std::printf("  %s ~ %s\n", mails[pairs[i].one].file.c_str(), mails[pairs[i].other].file.c_str());
  };
  print("spam and ham alike", confused);
  print("ham and ham alike, not the same", both_ham);
  MapRows rows;
  FuzzyIndex index(rows);
  Time now = from_unix(1'795'492'742);
  std::size_t learned = 0, found = 0, wrong = 0;
  for (const auto& mail : mails) {
    if (mail.digests.empty()) continue;
    auto match = index.find_any(mail.digests, now);
    (mail.spam ? found : wrong) += match.has_value() ? 1 : 0;
    if (!mail.spam) continue;
    ++learned;
    for (const auto& digest : mail.digests) index.learn(digest, FuzzyClass::spam, 1, now);
  }
  std::printf("index: %zu spam learned one after the other, %zu of them found by an earlier one, %zu ham found\n", learned, found, wrong);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: bench_signs CORPUS [LEAKY]\n");
    return 2;
  }
  if (argc > 2) {
    std::ifstream file(argv[2]);
    for (std::string line; std::getline(file, line);) {
      if (!words(line).empty()) g_leaky.insert(std::string(words(line).front()));
    }
  }
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(argv[1])) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::map<std::string, Seen> seen;
  std::vector<std::string> parts;
  std::vector<Mail> mails;
  std::chrono::nanoseconds header_time{}, text_time{}, fuzzy_time{};
  for (const auto& path : files) {
    std::string part = fs::relative(path.parent_path(), argv[1]).string();
    if (std::find(parts.begin(), parts.end(), part) == parts.end()) parts.push_back(part);
    std::ifstream file(path, std::ios::binary);
    std::string message = stripped(std::string(std::istreambuf_iterator<char>(file), {}));
    auto table = mail::parse(message);
    Seen& one = seen[part];
    ++one.mails;
    auto begin = testing::thread_now();
    HeaderSigns header = header_signs(message, table, {});
    header_time += testing::thread_now() - begin;
    for (std::size_t i = 0; i < HeaderSigns::kSize; ++i) one.header[i] += header.value(static_cast<HeaderSign>(i)).value_or(0) >= least(static_cast<HeaderSign>(i)) ? 1 : 0;
    std::string text = mail::readable_text(message, table);
    const auto* subject_field = mail::HeaderBlock(message).find("Subject");
    std::string subject = subject_field == nullptr ? "" : mail::readable(subject_field->raw);
    TextContext context = context_of(message, table, text, subject);
    begin = testing::thread_now();
    TextSigns signs = text_signs(text, context);
    text_time += testing::thread_now() - begin;
    for (std::size_t i = 0; i < one.text.size(); ++i) one.text[i] += signs.signs.value(static_cast<TextSign>(i)).value_or(0) >= least(static_cast<TextSign>(i)) ? 1 : 0;
    ++one.languages[signs.language.confidence >= 0.5 ? std::string(signs.language.code) : signs.language.code.empty() ? "-" : std::string(signs.language.code) + "?"];
    begin = testing::thread_now();
    auto digests = digests_of(message, table, kKey);
    fuzzy_time += testing::thread_now() - begin;
    mails.push_back({part.find("spam/") != std::string::npos || part.ends_with("/spam"),
                     fs::relative(path, argv[1]).string(), std::move(digests)});
  }
  std::printf("%-34s", "per cent of the mails");
  for (const auto& part : parts) std::printf(" %9s", part.substr(part.size() - std::min<std::size_t>(9, part.size())).c_str());
  std::printf("\n");
  print_table<HeaderSign>(kHeaderSigns, parts, seen, &Seen::header);
  print_table<TextSign>(kTextSigns, parts, seen, &Seen::text);
  for (const auto& part : parts) {
    std::printf("languages of %s (%zu mails):", part.c_str(), seen[part].mails);
    for (const auto& [code, count] : seen[part].languages) std::printf(" %s %zu", code.c_str(), count);
    std::printf("\n");
  }
  auto micro = [&](std::chrono::nanoseconds time) { return static_cast<double>(time.count()) / 1000 / static_cast<double>(std::max<std::size_t>(mails.size(), 1)); };
  std::printf("microseconds a mail: header %.0f, text %.0f, fuzzy %.0f\n", micro(header_time), micro(text_time), micro(fuzzy_time));
  print_fuzzy(mails);
  return 0;
}
