#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/imap/parser.h"

namespace postern::imap {

// BODY[1.2.HEADER.FIELDS (A B)]<0.100> and its RFC 822 namesakes.  RFC 3501 6.4.5.
struct Section {
  enum class What : std::uint8_t { all, header, fields, fields_not, text, mime };
  std::string part;                  // "1.2", "" for the message
  What what = What::all;
  std::vector<std::string> names;    // of fields and fields_not
  bool peek = false;
  std::optional<std::pair<std::uint32_t, std::uint32_t>> partial;   // first octet, at most so many
  std::string label;                 // as the answer names it: "BODY[TEXT]<0>", "RFC822"
};

// What a FETCH asks for.
struct FetchItems {
  bool uid = false;
  bool flags = false;
  bool internal_date = false;
  bool size = false;
  bool envelope = false;
  bool body = false;
  bool body_structure = false;
  std::vector<Section> sections;

  // Can it be answered from the index alone, without the message's row?
  bool index_only() const { return !envelope && !body && !body_structure && sections.empty(); }
  bool sets_seen() const;
};

constexpr std::size_t kMaxSections = 100;
constexpr std::size_t kMaxFieldNames = 500;

// A macro, one item or a list of them, up to the end of the command.
Result<FetchItems> parse_fetch_items(Parser& parser);

}  // namespace postern::imap
