// What was read as a path is read again as the same path from its own text.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "gateway/base/check.h"
#include "gateway/base/text.h"
#include "gateway/mail/address.h"
#include "gateway/mail/idna.h"

using namespace postern::mail;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (PathKind kind : {PathKind::reverse, PathKind::forward}) {
    std::string_view rest = text;
    auto path = take_path(rest, kind, true);
    if (!path) continue;
    CHECK(path->local.size() <= kMaxLocal && path->domain.size() <= kMaxDomain);
    CHECK(path->bracketed().find_first_of("\r\n") == std::string::npos);
    CHECK(postern::is_utf8(path->text()) && postern::is_ascii(path->domain));
    std::string written = path->bracketed();
    std::string_view again = written;
    auto second = take_path(again, kind, true);
    CHECK(second && again.empty() && *second == *path);
  }
  if (auto path = parse_address(text)) CHECK(*parse_address(path->text()) == *path);
  if (auto ascii = domain_to_ascii(text)) CHECK(domain_to_ascii(*ascii) == *ascii);
  (void)domain_to_unicode(text);

  auto list = parse_address_list(text);
  CHECK(list.size() <= kMaxHeaderAddresses);
  bool in_group = false;
  for (const HeaderAddress& entry : list) {
    CHECK(postern::is_utf8(entry.display_name()));
    CHECK(entry.kind != HeaderAddress::Kind::group_begin || !in_group);
    CHECK(entry.kind != HeaderAddress::Kind::group_end || in_group);
    if (entry.kind != HeaderAddress::Kind::mailbox) in_group = entry.kind == HeaderAddress::Kind::group_begin;
  }
  return 0;
}
