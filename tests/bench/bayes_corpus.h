#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <numeric>
#include <regex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "filters/bayes_collect.h"
#include "filters/bayes_tokens.h"
#include "filters/content.h"
#include "gateway/base/text.h"
#include "gateway/mail/headers.h"
#include "gateway/mail/mime.h"

// The mails of a corpus for measuring: without what tells where they were collected, near-duplicates together, and
// split into two halves by a rule that depends on nothing but the mails.
namespace postern::bench {

struct Mail {
  std::string set;      // "easy-ham-1", "spam-2", "phishing_pot", "usrp-users", ...
  std::string name;
  bool spam = false;
  std::string octets;   // as measured: stripped
  std::vector<filters::BayesToken> tokens;
  std::size_t group = 0;    // near-duplicates share it
  bool test = false;        // the half that is never learned
};

// What a provider, a list or the collection put into the modern mails' headers and bodies, and the mbox line.
class Stripper {
 public:
  explicit Stripper(const std::string& leaky_file) {
    std::ifstream file(leaky_file);
    for (std::string line; std::getline(file, line);) names_.insert(line.substr(0, line.find(' ')));
  }

  std::string strip(std::string mail, bool modern) const {
    if (mail.starts_with("From ")) mail.erase(0, mail.find('\n') + 1);
    if (modern) {
      replace_all(mail, "usrp-users@lists.ettus.com", "someone@reader.example");
      replace_all(mail, "phishing@pot", "someone@reader.example");
    }
    mail::HeaderBlock block(mail);
    std::string out;
    for (const mail::HeaderField& field : block.fields()) {
      std::string name = ascii_lowered(field.name);
      if (drops(name, field.raw, modern)) continue;
      std::string line(std::string_view(mail).substr(field.begin, field.end - field.begin));
      if (modern && name == "subject") replace_all(line, "[USRP-users] ", "");
      if (modern && (name == "from" || name == "to" || name == "cc")) replace_all(line, " via USRP-users", "");
      // The list writes itself into From; who wrote stands in Reply-To.
      if (modern && name == "from" && line.find("reader.example") != std::string::npos) {
        const mail::HeaderField* reply = block.find("Reply-To");
        line = reply != nullptr ? "From:" + std::string(reply->raw) + "\n" : "";
      }
      if (modern && name == "reply-to" && (block.find("X-Mailman-Version") != nullptr)) continue;
      out += line;
    }
    out += "\n";
    return out + (modern ? without_footer(mail.substr(block.body_offset())) : mail.substr(block.body_offset()));
  }

 private:
  static void replace_all(std::string& text, std::string_view from, std::string_view to) {
    for (std::size_t at = ifind(text, from); at != std::string::npos; at = ifind(text, from, at + to.size())) text.replace(at, from.size(), to);
  }
  bool drops(const std::string& name, std::string_view raw, bool modern) const {
    if (names_.contains(name)) return true;
    for (std::string_view prefix : {"arc-", "authentication-results", "x-ms-", "x-microsoft-", "x-forefront", "x-eop", "x-sid",
                                    "x-spam", "x-mailman", "received-spf"}) {
      if (name.starts_with(prefix)) return true;
    }
    if (!modern) return false;
    for (std::string_view prefix : {"received", "return-path", "delivered-to", "list-", "dkim-", "x-google", "x-gm-", "x-received", "sender",
                                    "x-proofpoint", "x-cse", "x-mdid", "x-exchange", "x-transport", "authentication"}) {
      if (name.starts_with(prefix)) return true;
    }
    return name == "message-id" && (raw.find("outlook.com") != std::string_view::npos || raw.find("ettus") != std::string_view::npos);
  }
  static std::string without_footer(const std::string& body) {
    std::string out;
    for (std::size_t at = 0; at < body.size();) {
      std::size_t end = std::min(body.find('\n', at), body.size() - 1) + 1;
      std::string_view line = std::string_view(body).substr(at, end - at);
      bool footer = ifind(line, "usrp-users mailing list") != std::string_view::npos || ifind(line, "lists.ettus.com") != std::string_view::npos ||
                    line.starts_with("To unsubscribe send an email") || line.starts_with("____________________________________________");
      if (!footer) out += line;
      at = end;
    }
    return out;
  }
  std::set<std::string> names_;
};

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::vector<filters::BayesToken> tokens_of(const std::string& octets) {
  mail::PartTable parts = mail::parse(octets);
  filters::Content content = filters::content_of(octets, parts);
  std::string html = filters::bayes_html(octets, parts);
  filters::BayesInput input;
  input.header = mail::header_of(octets, parts.root());
  input.text = content.text;
  input.links = content.links;
  input.attachments = content.attachments;
  input.html = html;
  input.parts = &parts;
  return filters::bayes_tokens(input);
}

inline bool is_content(filters::BayesToken token) {
  auto kind = filters::kind_of(token);
  return kind == filters::BayesKind::word || kind == filters::BayesKind::pair || kind == filters::BayesKind::subject;
}

// Mails that share half of their words and pairs belong together: they must not stand on both sides.
inline void group(std::vector<Mail>& mails) {
  std::vector<std::size_t> parent(mails.size());
  std::iota(parent.begin(), parent.end(), std::size_t{0});
  auto root = [&](std::size_t i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
  };
  auto alike = [&](const Mail& a, const Mail& b) {
    std::size_t both = 0, all = 0;
    auto i = a.tokens.begin(), j = b.tokens.begin();
    while (i != a.tokens.end() || j != b.tokens.end()) {
      if (i != a.tokens.end() && !is_content(*i)) { ++i; continue; }
      if (j != b.tokens.end() && !is_content(*j)) { ++j; continue; }
      ++all;
      if (j == b.tokens.end() || (i != a.tokens.end() && *i < *j)) ++i;
      else if (i == a.tokens.end() || *j < *i) ++j;
      else ++i, ++j, ++both;
    }
    return both * 2 >= all;
  };
  // Mails that share half of their tokens have the same two minima in one of 16 bands with a probability of 99 %.
  constexpr int kBands = 16, kRows = 2;
  std::unordered_map<std::uint64_t, std::vector<std::size_t>> buckets;
  for (std::size_t m = 0; m < mails.size(); ++m) {
    for (int band = 0; band < kBands; ++band) {
      std::uint64_t key = static_cast<std::uint64_t>(band) + 1;
      for (int row = 0; row < kRows; ++row) {
        std::uint64_t least = UINT64_MAX;
        for (auto token : mails[m].tokens) {
          if (is_content(token)) least = std::min(least, filters::bayes_mix(token + 0x9e3779b97f4a7c15ULL * static_cast<std::uint64_t>(band * kRows + row + 1)));
        }
        key = filters::bayes_mix(key * 31 + least);
      }
      auto& bucket = buckets[key];
      for (std::size_t other : bucket) {
        if (root(other) != root(m) && alike(mails[other], mails[m])) parent[root(m)] = root(other);
      }
      if (bucket.size() < 50) bucket.push_back(m);
    }
  }
  for (std::size_t m = 0; m < mails.size(); ++m) mails[m].group = root(m);
}

// The half of a mail depends on the octets of its group's first mail (by name) alone.
inline std::vector<Mail> load(const std::string& corpus, const std::string& leaky_file) {
  namespace fs = std::filesystem;
  Stripper stripper(leaky_file);
  std::vector<fs::path> paths;
  for (const auto& entry : fs::recursive_directory_iterator(corpus)) {
    if (entry.is_regular_file()) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Mail> mails;
  for (const auto& path : paths) {
    Mail mail;
    std::string whole = path.string();
    mail.spam = whole.find("/spam/") != std::string::npos;
    bool modern = whole.find("spamassassin") == std::string::npos;
    mail.set = modern ? (mail.spam ? "phishing_pot" : "usrp-users") : path.parent_path().filename().string();
    mail.name = path.filename().string();
    mail.octets = stripper.strip(read_file(path), modern);
    mail.tokens = tokens_of(mail.octets);
    mails.push_back(std::move(mail));
  }
  group(mails);
  for (auto& mail : mails) mail.test = filters::bayes_hash(mails[mail.group].name) % 2 == 1;
  return mails;
}

}  // namespace postern::bench
