#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/imap/search_key.h"
#include "gateway/imap/selected.h"

namespace postern::imap {

// Yes, no, or not to be said from what was loaded.
enum class Truth : std::uint8_t { no, yes, unknown };

// One message as far as SEARCH has loaded it; values only, so that a worker can judge it.
struct Candidate {
  store::Entry entry;
  std::uint32_t sequence = 0;
  bool recent = false;
  int loaded = 0;                                    // SearchKey::cost()
  std::string envelope;                              // 1: the row's
  std::string header;                                // 2: raw, prefix included
  std::string folded_header;                         // 3: as search text
  std::vector<std::string> texts;                    // 3: of the body, as search text
};

// What the keys need of the mailbox.
struct SearchContext {
  std::uint32_t exists = 0;      // for "*" in sequence sets
  store::Uid last_uid = 0;
  std::vector<std::string> keywords;
};

// A program with its sets and keywords resolved for one mailbox version.
class Matcher {
 public:
  Matcher(const SearchKey& key, const SearchContext& context);
  Truth judge(const Candidate& candidate) const;

 private:
  struct Node {
    const SearchKey* key = nullptr;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges;
    std::uint64_t keyword_bit = 0;
    std::vector<Node> children;
  };
  static Node resolve(const SearchKey& key, const SearchContext& context);
  static Truth judge(const Node& node, const Candidate& candidate);
  static Truth judge_row(const SearchKey& key, const Candidate& candidate);
  Node root_;
};

}  // namespace postern::imap
