// The two Vietnamese charsets that ICU lacks: VISCII (RFC 1456) and TCVN 5712:1993, which also writes tones as marks.
#include "gateway/mail/vietnamese.h"

#include <array>

#include "gateway/base/text.h"
#include "gateway/base/utf8.h"

namespace postern::mail {

namespace {

// 0x80 to 0xff.
constexpr std::u16string_view kViscii =
    u"ẠẮẰẶẤẦẨẬẼẸẾỀỂỄỆỐỒỔỖỘỢỚỜỞỊỎỌỈỦŨỤỲÕắằặấầẩậẽẹếềểễệốồổỗỠƠộờởịỰỨỪỬơớƯ"
    u"ÀÁÂÃẢĂẳẵÈÉÊẺÌÍĨỳĐứÒÓÔạỷừửÙÚỹỵÝỡưàáâãảăữẫèéêẻìíĩỉđựòóôõỏọụùúũủýợỮ";
constexpr std::u16string_view kTcvn =
    u"ÀẢÃÁẠẶẬÈẺẼÉẸỆÌỈĨÍỊÒỎÕÓỌỘỜỞỠỚỢÙỦŨ\u00a0ĂÂÊÔƠƯĐăâêôơưđẰ\u0300\u0309\u0303\u0301\u0323àảãáạẲằẳẵắẴ"
    u"ẮẦẨẪẤỀặầẩẫấậèỂẻẽéẹềểễếệìỉỄẾỒĩíịòỔỏõóọồổỗốộờởỡớợùỖủũúụừửữứựỳỷỹýỵỐ";
static_assert(kViscii.size() == 128 && kTcvn.size() == 128);

// Letters in the place of control characters.
struct Low {
  char octet;
  char16_t letter;
};
constexpr std::array<Low, 6> kVisciiLow = {{{0x02, u'Ẳ'}, {0x05, u'Ẵ'}, {0x06, u'Ẫ'}, {0x14, u'Ỷ'}, {0x19, u'Ỹ'}, {0x1e, u'Ỵ'}}};
constexpr std::array<Low, 12> kTcvnLow = {{
    {0x01, u'Ú'}, {0x02, u'Ụ'}, {0x04, u'Ừ'}, {0x05, u'Ử'}, {0x06, u'Ữ'}, {0x11, u'Ứ'},
    {0x12, u'Ự'}, {0x13, u'Ỳ'}, {0x14, u'Ỷ'}, {0x15, u'Ỹ'}, {0x16, u'Ý'}, {0x17, u'Ỵ'}}};

template <std::size_t N>
std::string converted(std::string_view octets, std::u16string_view high, const std::array<Low, N>& low) {
  std::string out;
  out.reserve(octets.size() * 2);
  for (char c : octets) {
    auto octet = static_cast<unsigned char>(c);
    char16_t letter = octet < 0x80 ? octet : high[octet - 0x80];
    for (Low other : low) {
      if (other.octet == c) letter = other.letter;
    }
    append_utf8(out, letter);
  }
  return out;
}

}  // namespace

bool is_vietnamese_charset(std::string_view label) { return istarts_with(label, "viscii") || istarts_with(label, "tcvn"); }

std::string vietnamese_to_utf8(std::string_view octets, std::string_view label) {
  return istarts_with(label, "viscii") ? converted(octets, kViscii, kVisciiLow) : converted(octets, kTcvn, kTcvnLow);
}

}  // namespace postern::mail
