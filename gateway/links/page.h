#pragma once

#include <string>
#include <string_view>

#include "gateway/base/ip.h"
#include "gateway/config/config.h"
#include "gateway/directory/link_tokens.h"
#include "gateway/http/message.h"
#include "gateway/io/task.h"

namespace postern::links {

// Somebody who opened a link with a good token.
struct Visit {
  std::string body;     // of the token: what the purpose made of it
  http::Form form;      // of act(): what was sent
  IpAddress client;
};

// What he sees.  `html` is the inside of the page, text in it escaped already.
struct Shown {
  int status = 200;
  config::Language language = config::Language::english;
  std::string title;
  std::string html;
};

// What stands behind the links of one purpose.  Nothing of the token may get into a log.
class Page {
 public:
  virtual ~Page() = default;
  virtual directory::LinkPurpose purpose() const = 0;
  virtual std::string_view path() const = 0;   // the first segment of its URLs: "release"
  // GET and HEAD: changes nothing, whoever fetches it, and leads to act() by a form of its own.
  virtual io::Task<Shown> show(Visit visit) = 0;
  // POST: does what was asked.  Twice must be harmless.
  virtual io::Task<Shown> act(Visit visit) = 0;
};

// "<p>text</p>", the text escaped.
std::string paragraph(std::string_view text);
// A form that sends its fields to the page itself; `fields` is HTML.
std::string form(std::string_view button, std::string_view fields = "");
// In the language of the page.
std::string_view in_language(config::Language language, std::string_view english, std::string_view vietnamese);

}  // namespace postern::links
