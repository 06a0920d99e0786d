#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace postern::mail {

constexpr std::size_t kMaxConfusable = 1024;   // octets of a name that are looked at; of longer ones the beginning counts

// What a text looks like: two texts with the same skeleton can be taken for each other, "p\u0430ypal" (Cyrillic) and "paypal",
// "rnail" and "mail", "g00gle" and "google".  UTS 39 4, then small letters, so that "O" and "0" meet.  Only to be compared,
// never to be shown.  What is no UTF-8 is replaced first.  Any thread.
std::string skeleton(std::string_view utf8);

}  // namespace postern::mail
