#pragma once

#include "gateway/mail/tag_list.h"

// Lists of tags are a matter of the formats, which filters and signing share.
namespace postern::filters {

using mail::is_dns_name;
using mail::is_within;
using mail::TagList;
using mail::without_space;

}  // namespace postern::filters
