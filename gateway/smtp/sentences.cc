// Our own refusals in the languages we have.
#include "gateway/smtp/sentences.h"

#include <string_view>

#include "gateway/mail/fold.h"

namespace postern::smtp {
namespace {

struct Both {
  std::string_view english, vietnamese;
};

Both both(Sentence which) {
  switch (which) {
    case Sentence::no_such_user: return {"no such user here", "không có người dùng này ở đây"};
    case Sentence::relaying_denied: return {"relaying denied", "không được phép chuyển tiếp"};
    case Sentence::bad_address: return {"not a valid address", "địa chỉ không hợp lệ"};
    case Sentence::not_now: return {"nobody takes this mail now, try again later", "hiện chưa nhận được thư này, xin gửi lại sau"};
    case Sentence::forged: return {"this address was not made here, or was changed on its way", "địa chỉ này không do chúng tôi tạo, hoặc đã bị sửa"};
    case Sentence::expired: return {"this address is too old", "địa chỉ này đã hết hạn"};
    case Sentence::bounces_only: return {"this address takes bounces only", "địa chỉ này chỉ nhận thư báo lỗi"};
    case Sentence::list_takes_no_bounces: return {"a mailing list takes no bounces", "danh sách thư không nhận thư báo lỗi"};
    case Sentence::host_not_asked: return {"the server of this domain cannot be asked now, try again later", "chưa hỏi được máy chủ của tên miền này, xin gửi lại sau"};
    case Sentence::directory_not_asked:
      return {"the directory of this domain cannot be asked now, try again later", "chưa hỏi được danh bạ của tên miền này, xin gửi lại sau"};
    case Sentence::cannot_judge: return {"cannot be judged at the moment, please try again later", "hiện chưa kiểm tra được, xin gửi lại sau"};
    case Sentence::try_later: return {"Try again later", "Xin gửi lại sau"};
    case Sentence::and_try_later: return {"try again later", "xin gửi lại sau"};
    case Sentence::too_many_lately: return {"Too many recipients lately from", "Gần đây có quá nhiều người nhận từ"};
  }
  return {"Try again later", "Xin gửi lại sau"};
}

}  // namespace

std::string sentence(Sentence which, config::Language language, bool utf8) {
  auto texts = both(which);
  if (language == config::Language::english) return std::string(texts.english);
  return utf8 ? std::string(texts.vietnamese) : mail::without_marks(texts.vietnamese);
}

}  // namespace postern::smtp
