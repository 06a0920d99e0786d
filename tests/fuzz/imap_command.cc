// Every pure parser of IMAP commands on the same octets.
#include <cstdint>

#include "gateway/base/check.h"
#include "gateway/base/text.h"
#include "gateway/imap/fetch_items.h"
#include "gateway/imap/list.h"
#include "gateway/imap/mailbox_name.h"
#include "gateway/imap/reader.h"
#include "gateway/imap/search_match.h"

using namespace postern;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto name = imap::decode_utf7(text)) {
    CHECK(is_utf8(*name));
    CHECK(imap::encode_utf7(*name) == text);  // one name, one spelling
    (void)imap::matches(*name, "INBOX/sub");
  }
  imap::is_append_up_to_message(text);
  if (auto set = imap::SequenceSet::parse(text)) {
    std::uint32_t before = 0;
    for (auto [first, last] : set->resolved(1000)) {
      CHECK(first > before && first <= last);
      before = last;
    }
  }
  imap::Parser fetch(text);
  (void)imap::parse_fetch_items(fetch);
  imap::Parser list(text);
  (void)imap::parse_list(list);
  imap::Parser flags(text);
  (void)flags.store_flags();
  imap::Parser date(text);
  (void)date.date_time();
  (void)imap::header_day(text);
  imap::Parser search(text);
  if (auto program = imap::parse_search(search)) {
    imap::SearchContext context;
    context.exists = 5;
    context.last_uid = 9;
    imap::Candidate candidate;
    candidate.loaded = 3;
    CHECK(imap::Matcher(program->key, context).judge(candidate) != imap::Truth::unknown);
  }
  return 0;
}
