// Local parts as they come in RCPT: whatever the octets are, only what we made is good, and it leads to a path.
#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/base/check.h"
#include "gateway/directory/srs.h"

using namespace postern;
using directory::Srs;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Srs ours({std::string(32, 'k')}), others({std::string(32, 'x')});
  static const Time now = from_unix(1'795'492'742);
  std::string_view text(reinterpret_cast<const char*>(data), size);
  // Nobody guesses forty bits here.
  CHECK(others.read(text, now).kind != Srs::Returned::Kind::good);
  auto path = mail::parse_address(text);
  if (!path) return 0;
  auto rewritten = ours.rewritten(*path, "ours.example", now);
  if (!rewritten) return 0;
  auto again = mail::parse_address(rewritten->text());
  CHECK(again && *again == *rewritten);
  auto back = ours.read(rewritten->local, now);
  bool other_form = rewritten->local.starts_with("SRS1=");
  CHECK(back.kind == Srs::Returned::Kind::good || other_form);
  if (!other_form) CHECK(back.to == *path);
  return 0;
}
