// Rows and keys, checksums, the body store's records.
#include "gateway/store/crc32c.h"
#include "gateway/store/rows.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::store;

TEST_CASE("the checksum is CRC-32C, by instruction and by table") {
  CHECK(crc32c(0, "123456789") == 0xE3069283U);
  CHECK(detail::crc32c_by_table(0, "123456789") == 0xE3069283U);
  CHECK(crc32c(0, std::string(32, '\0')) == 0x8A9136AAU);   // RFC 3720 B.4
  std::string text;
  for (int i = 0; i < 1000; ++i) {
    text.push_back(static_cast<char>(i * 31));
    if (crc32c(0, text) != detail::crc32c_by_table(0, text)) FAIL("they differ at " << i);
  }
  CHECK(crc32c(crc32c(0, "1234"), "56789") == crc32c(0, "123456789"));
}

TEST_CASE("keys lie in the order of their numbers") {
  CHECK(index_key(1, 255) < index_key(1, 256));
  CHECK(index_key(1, 0xffffffff) < index_key(2, 0));
  CHECK(vanished_key(1, 255) < vanished_key(1, 256));
  CHECK(queue_key(255) < queue_key(256));
  CHECK(first_number(index_key(77, 5)) == 77);
  CHECK(second_number(index_key(77, 5), 4) == 5);
  CHECK(second_number(vanished_key(77, 1ULL << 40), 8) == 1ULL << 40);
  CHECK(first_number("x") == 0);
}

TEST_CASE("an account's row of before users had hosts of their own is read, and written as it was") {
  Account account;
  account.id = 7;
  account.address = "ann@corp.example";
  account.password_row = "row";
  account.admin = true;
  account.groups = {"a", "b"};
  account.created = from_unix(1'795'492'742);
  // id, address, password, admin, groups, time
  auto old = std::string("\x01\x07\x10" "ann@corp.example\x03" "row\x01\x02\x01" "a\x01" "b", 1 + 1 + 17 + 4 + 1 + 1 + 4);
  CHECK(encode(account).starts_with(old));
  auto read = decode_account(encode(account));
  REQUIRE(read);
  CHECK(read->admin);
  CHECK(read->deliver.empty());
  account.deliver = "smtp://10.0.0.5:25";
  account.admin = false;
  read = decode_account(encode(account));
  REQUIRE(read);
  CHECK_FALSE(read->admin);
  CHECK(read->deliver == "smtp://10.0.0.5:25");
  CHECK(read->created == account.created);
  auto whole = encode(account);
  for (std::size_t cut = 0; cut < whole.size(); ++cut) CHECK_FALSE(decode_account(std::string_view(whole).substr(0, cut)));
}

TEST_CASE("a value cut short at any octet, or with one too many, is damaged and not a smaller value") {
  MailboxState mailbox;
  mailbox.info.name = "INBOX";
  mailbox.info.uidvalidity = 0xffffffff;
  mailbox.keywords = {"a", "b"};
  StoredMessage message;
  message.id = "ID";
  message.header_prefix = "A: b\r\n";
  message.internal_date = -5;
  message.held.emplace();
  message.held->score = -1.5;
  message.held->notice = true;
  auto whole = encode(mailbox);
  REQUIRE(decode_mailbox(whole));
  CHECK(decode_mailbox(whole)->keywords == mailbox.keywords);
  CHECK_FALSE(decode_mailbox(whole + '\0'));
  for (std::size_t i = 0; i < whole.size(); ++i) CHECK_FALSE(decode_mailbox(whole.substr(0, i)));
  whole = encode(message);
  REQUIRE(decode_message(whole));
  CHECK(decode_message(whole)->internal_date == -5);
  CHECK(decode_message(whole)->held->score == -1.5);
  CHECK(decode_message(whole)->held->notice);
  CHECK(decode_message(whole)->held->recipient == 0);
  for (std::size_t i = 0; i < whole.size(); ++i) CHECK_FALSE(decode_message(whole.substr(0, i)));
  QueueEntry entry;
  entry.message_id = "ID";
  entry.destination = "example.org";
  entry.arrived = from_unix(-5);
  entry.due = from_unix(2'000'000'000);
  entry.held = true;
  entry.header_prefix = "A: b\r\n";
  entry.body = 7;
  entry.record_octets = 1ULL << 40;
  entry.state = std::string("\0s", 2);
  whole = encode(entry);
  REQUIRE(decode_queue(3, whole));
  CHECK(encode(*decode_queue(3, whole)) == whole);
  CHECK(decode_queue(3, whole)->id == 3);
  CHECK(decode_queue(3, whole)->arrived == entry.arrived);
  CHECK(decode_queue(3, whole)->state == entry.state);
  CHECK_FALSE(decode_queue(3, whole + '\0'));
  for (std::size_t i = 0; i < whole.size(); ++i) CHECK_FALSE(decode_queue(3, whole.substr(0, i)));
  CHECK(decode_uids(encode_uids({1, 2, 4'000'000'000})) == std::vector<Uid>{1, 2, 4'000'000'000});
  CHECK_FALSE(decode_uids(std::string("\x01\x02\x05", 3)));
}

TEST_CASE("an original of class virus keeps whose copy it is") {
  StoredMessage message;
  message.held.emplace();
  auto old = encode(message);
  message.held->recipient = 300;
  auto now = encode(message);
  REQUIRE(decode_message(now));
  CHECK(decode_message(now)->held->recipient == 300);
  CHECK(now.size() == old.size() + 2);   // a row without is written as it always was
}
