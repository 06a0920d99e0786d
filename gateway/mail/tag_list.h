#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"

namespace postern::mail {

// A tag=value list as DKIM signatures and keys, ARC's fields and DMARC records have it.  RFC 6376 3.2.
// Keeps views: the text must outlive the list.
class TagList {
 public:
  struct Tag {
    std::string_view name;   // case counts
    std::string_view value;  // without white space and folding around it; may be empty
  };

  // An error for what is no tag list: a tag without "=", a bad name, a name given twice, more than
  // 64 tags.  Empty pieces (";;", a final ";") are let pass.
  static Result<TagList> parse(std::string_view text);
  // As the grammar has it: of empty pieces only what a final ";" leaves behind itself.
  static Result<TagList> parse_strictly(std::string_view text);

  // nullopt when there is no such tag.
  std::optional<std::string_view> find(std::string_view name) const;
  const std::vector<Tag>& tags() const { return tags_; }

 private:
  std::vector<Tag> tags_;
};

// Without any white space and folding, as base64 and lists of names in tags are to be read.
std::string without_space(std::string_view value);

// A domain name of letters, digits, "-" and "_" that DNS can carry.
bool is_dns_name(std::string_view name);

// Whether `name` is `domain` or lies below it; case-blind.
bool is_within(std::string_view name, std::string_view domain);

}  // namespace postern::mail
