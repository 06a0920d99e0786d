// Languages of short texts.
#include "filters/language.h"

#include <string>

#include "tests/support/catch.h"
#include "tests/support/thread_time.h"

using namespace postern;
using namespace postern::filters;

TEST_CASE("the language of a few sentences is known") {
  struct Case { const char* code; const char* text; };
  const Case cases[] = {
      {"en", "Please find the minutes of the meeting that we had on Monday. If you have questions, let me know."},
      {"vi", "Kính gửi quý khách, chúng tôi xin thông báo rằng tài khoản của bạn đã được cập nhật từ hôm nay."},
      {"de", "Sehr geehrte Damen und Herren, wir haben Ihre Bestellung erhalten und werden sie bald an Sie senden."},
      {"fr", "Bonjour, vous trouverez dans ce message les informations que nous avons sur votre commande."},
      {"es", "Estimado cliente, su pedido ha sido enviado y lo recibirá en los próximos días con el correo."},
      {"it", "Gentile cliente, il suo ordine è stato spedito e lo riceverà nei prossimi giorni con la posta."},
      {"pt", "Prezado cliente, o seu pedido foi enviado e você receberá em até três dias, não é preciso mais nada."},
      {"nl", "Geachte klant, wij hebben uw bestelling ontvangen en sturen het pakket morgen naar u op met de post."},
      {"pl", "Szanowny kliencie, twoje zamówienie zostało wysłane i nie trzeba już nic robić, proszę czekać na kuriera."},
      {"tr", "Sayın müşterimiz, siparişiniz bugün gönderildi ve size en geç üç gün sonra olarak ulaşacak, bu bir bilgi için."},
      {"sv", "Hej, vi har skickat din beställning och den kommer att vara hos dig om tre dagar, det är allt för nu."},
      {"id", "Kepada pelanggan, pesanan anda sudah kami kirim dan akan sampai dalam tiga hari, tidak perlu untuk menunggu ini."},
      {"ru", "Уважаемый клиент, ваш заказ отправлен, и вы получите его через три дня. Это всё."},
      {"uk", "Шановний клієнте, ваше замовлення надіслано, і ви отримаєте його за три дні. Дякуємо, її вже везуть."},
      {"el", "Αγαπητέ πελάτη, η παραγγελία σας έχει σταλεί."},
      {"he", "לקוח יקר, ההזמנה שלך נשלחה ותגיע בעוד שלושה ימים"},
      {"ar", "عزيزي العميل، تم إرسال طلبك وسيصل خلال ثلاثة أيام"},
      {"th", "เรียนลูกค้า สินค้าของคุณถูกจัดส่งแล้ว"},
      {"ko", "고객님 주문하신 상품이 발송되었습니다"},
      {"ja", "お客様のご注文は発送されました。三日後に届きます。"},
      {"zh", "尊敬的客户，您的订单已经发货，三天后到达。"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    Language language = language_of(c.text);
    CHECK(language.code == c.code);
    CHECK(language.confidence >= 0.3);
    CHECK(language.confidence <= 1.0);
  }
  for (int i : {0, 1, 2, 3}) CHECK(language_of(cases[i].text).confidence >= 0.6);
}

TEST_CASE("where nothing tells the language it is unknown") {
  for (const char* text : {"", "12345 !!!", "Foo", "Xerxes Qwertz Brmpft Zzyzx", "http://x.example/", "\xff\xfe\xff"}) {
    CAPTURE(text);
    CHECK(language_of(text).code.empty());
    CHECK(language_of(text).confidence == 0);
  }
}

TEST_CASE("a name in another alphabet does not change the language") {
  CHECK(language_of("This is the note that you have asked for, from Иван, and it is all we can say.").code == "en");
  CHECK(language_of("Это письмо от Microsoft Corporation, и вы получили его, потому что это важно").code == "ru");
}

TEST_CASE("of a long text the beginning is read") {
  std::string text = "ein und das ist nicht die von mit und der ";
  while (text.size() < kMaxLanguageText) text += "xx ";
  std::string tail;
  while (tail.size() < (8U << 20)) tail += "the and of to in is you ";
  CHECK(language_of(text + tail).code == language_of(text.substr(0, kMaxLanguageText)).code);
  CHECK(testing::thread_time([&] { (void)language_of(tail); }) < postern::testing::out_of_bounds(std::chrono::milliseconds(20)));
}
