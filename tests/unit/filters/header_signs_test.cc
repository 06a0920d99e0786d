// Each sign of a header: a proper mail has none of them, and one change brings it.
#include "tests/unit/filters/header_signs_support.h"

#include <algorithm>
#include <set>

#include "tests/support/catch.h"
#include "tests/support/thread_time.h"

using namespace postern;
using namespace postern::filters;
using namespace postern::filters::testing;

namespace {

struct Case {
  HeaderSign sign;
  std::vector<std::string> changes;
};

const std::string kBase64Lines = "SGVsbG8gQm9iLCBoZXJlIGFyZSB0aGUgbWludXRlcw==\r\n";
const std::string kAlternative = "Content-Type: multipart/alternative; boundary=\"=_bound4ry\"";
std::string part(const std::string& type, const std::string& text) { return "--=_bound4ry\r\nContent-Type: " + type + "\r\n\r\n" + text + "\r\n"; }
const std::string kEnd = "--=_bound4ry--\r\n";
const std::string kWords = "these words tell about the quarterly figures which everybody should read before friday evening";
const std::string kOther = "click now winner lottery millions claim prize cheap watches replica pills discount offer today";

// Several rows may stand for one sign.
const std::vector<Case> kCases = {
    {HeaderSign::no_from, {"-From"}},
    {HeaderSign::no_date, {"-Date"}},
    {HeaderSign::no_message_id, {"-Message-ID"}},
    {HeaderSign::no_subject, {"-Subject"}},
    {HeaderSign::no_recipient_field, {"-To"}},
    {HeaderSign::empty_fields, {"Subject: "}},
    {HeaderSign::repeated_fields, {"+Date: Tue, 24 Nov 2026 03:59:02 +0000"}},
    {HeaderSign::repeated_from, {"+From: c@sender.example"}},
    {HeaderSign::repeated_subject, {"+Subject: again"}},
    {HeaderSign::repeated_content_type, {"+Content-Type: text/html"}},
    {HeaderSign::lines_without_name, {"+this is no field"}},
    {HeaderSign::space_before_colon, {"+X-Odd : 1"}},
    {HeaderSign::no_space_after_colon, {"Subject:Minutes"}},
    {HeaderSign::tab_after_colon, {"Subject:\tMinutes"}},
    {HeaderSign::odd_case_of_names, {"-MIME-Version", "+MiME-Version: 1.0"}},
    {HeaderSign::odd_case_of_names, {"-Subject", "+SUBJECT: Minutes"}},
    {HeaderSign::blank_folded_lines, {"Subject: Minutes\r\n \r\n of the meeting"}},
    {HeaderSign::long_header_line, {"Subject: " + std::string(1000, 'x')}},
    {HeaderSign::raw_8bit_fields, {"+X-Note: caf\xc3\xa9"}},
    {HeaderSign::raw_not_utf8, {"+X-Note: caf\xe9"}},
    {HeaderSign::raw_8bit_from, {"From: Ann L\xc3\xa9 <ann.lee@sender.example>"}},
    {HeaderSign::raw_8bit_subject, {"Subject: caf\xc3\xa9"}},
    {HeaderSign::control_characters, {"+X-Note: \x01"}},
    {HeaderSign::subject_needless_base64, {"Subject: =?utf-8?B?TWludXRlcw==?="}},
    {HeaderSign::subject_needless_quoted, {"Subject: =?utf-8?Q?Minutes?="}},
    {HeaderSign::from_needless_base64, {"From: =?utf-8?B?QW5u?= <ann.lee@sender.example>"}},
    {HeaderSign::from_needless_quoted, {"From: =?utf-8?Q?Ann?= <ann.lee@sender.example>"}},
    {HeaderSign::broken_encoded_words, {"Subject: =?utf-8?B?TWludXRlcw=="}},
    {HeaderSign::broken_encoded_words, {"Subject: =?utf-8?X?TWludXRlcw==?="}},
    {HeaderSign::unknown_word_charsets, {"Subject: =?x-nowhere?Q?caf=E9?="}},
    {HeaderSign::mixed_word_charsets, {"Subject: =?iso-8859-1?Q?caf=E9?= =?utf-8?Q?=C3=A9?="}},
    {HeaderSign::tiny_encoded_words, {"Subject: =?utf-8?Q?=C3=A9?= =?utf-8?Q?=C3=A9t=C3=A9_est_l=C3=A0?="}},
    {HeaderSign::encoded_word_in_address, {"To: <=?utf-8?Q?bob?=@corp.example>"}},
    {HeaderSign::encoded_line_end, {"Subject: =?utf-8?Q?caf=C3=A9=0D=0ABcc:_x?="}},
    {HeaderSign::date_unreadable, {"Date: tomorrow"}},
    {HeaderSign::date_improper, {"Date: Tue, 24-Nov-26 03:59:02 GMT"}},
    {HeaderSign::date_wrong_weekday, {"Date: Mon, 24 Nov 2026 03:59:02 +0000"}},
    {HeaderSign::date_impossible_zone, {"Date: Tue, 24 Nov 2026 03:59:02 +2400"}},
    {HeaderSign::date_unknown_zone, {"Date: Tue, 24 Nov 2026 03:59:02 -0000"}},
    {HeaderSign::date_hours_ahead, {"Date: Tue, 24 Nov 2026 05:59:10 +0000"}},
    {HeaderSign::date_future, {"Date: Tue, 24 Nov 2026 08:59:10 +0000"}},
    {HeaderSign::date_past, {"Date: Fri, 20 Nov 2026 03:59:02 +0000"}},
    {HeaderSign::message_id_malformed, {"Message-ID: 20261124035902.4711@sender.example"}},
    {HeaderSign::message_id_malformed, {"Message-ID: <2026 4711@sender.example>"}},
    {HeaderSign::message_id_no_domain, {"Message-ID: <20261124035902.4711>"}},
    {HeaderSign::message_id_address, {"Message-ID: <20261124035902.4711@[192.0.2.1]>"}},
    {HeaderSign::message_id_address, {"Message-ID: <20261124035902.4711@192.0.2.1>"}},
    {HeaderSign::message_id_unqualified, {"Message-ID: <20261124035902.4711@udnugg>"}},
    {HeaderSign::message_id_local_host, {"Message-ID: <20261124035902.4711@localhost.localdomain>"}},
    {HeaderSign::message_id_other_domain, {"Message-ID: <20261124035902.4711@mx.corp.example>"}},
    {HeaderSign::message_id_unrelated, {"Message-ID: <20261124035902.4711@elsewhere.example>"}},
    {HeaderSign::message_id_many_at, {"Message-ID: <2026@1124035902.4711@sender.example>"}},
    {HeaderSign::message_id_short, {"Message-ID: <2026@sender.example>"}},
    {HeaderSign::message_id_has_recipient, {"Message-ID: <2026.bob.ray@corp.example.4711@sender.example>"}},
    {HeaderSign::message_id_false_provider, {"Message-ID: <CAKx0nDsvjA4711abcdefg@mail.gmail.com>"}},
    {HeaderSign::from_malformed, {"From: Ann Lee"}},
    {HeaderSign::from_several, {"From: ann.lee@sender.example, c.d@sender.example"}},
    {HeaderSign::from_loose_words, {"From: Your last chance, Ann <ann.lee@sender.example>"}},
    {HeaderSign::from_unqualified, {"From: Ann Lee <ann.lee@sender>"}},
    {HeaderSign::from_no_name, {"From: ann.lee@sender.example"}},
    {HeaderSign::from_blank_name, {"From: \"\" <ann.lee@sender.example>"}},
    {HeaderSign::from_name_own_address, {"From: \"ann.lee@sender.example\" <ann.lee@sender.example>"}},
    {HeaderSign::from_name_other_address, {"From: \"Bank <info@bank.example>\" <ann.lee@sender.example>"}},
    {HeaderSign::from_name_other_domain, {"From: \"Service bank.com\" <ann.lee@sender.example>"}},
    {HeaderSign::from_name_recipient_domain, {"From: \"CORP Help Desk\" <ann.lee@sender.example>"}},
    {HeaderSign::from_name_symbols, {"From: =?utf-8?Q?=F0=9F=93=B1_Ann?= <ann.lee@sender.example>"}},
    {HeaderSign::from_name_invisible, {"From: =?utf-8?Q?An=E2=80=8Bn?= <ann.lee@sender.example>"}},
    {HeaderSign::from_name_styled, {"From: =?utf-8?Q?=F0=9D=95=80=F0=9D=95=99?= <ann.lee@sender.example>"}},
    {HeaderSign::from_name_capitals, {"From: ANN OF SALES <ann.lee@sender.example>"}},
    {HeaderSign::from_local_long, {"From: Ann <" + std::string(41, 'a') + "@sender.example>"}},
    {HeaderSign::from_local_begins_with_digits, {"From: Ann <42ann@sender.example>"}},
    {HeaderSign::from_local_random, {"From: Ann <xkcdqrtz@sender.example>"}},
    {HeaderSign::from_local_random, {"From: Ann <9f3a0bd2c4e1@sender.example>"}},
    {HeaderSign::from_is_recipient, {"From: Bob <bob.ray@corp.example>"}},
    {HeaderSign::free_mail_by_others, {"From: Ann <ann.lee@gmail.com>"}},
    {HeaderSign::reply_to_malformed, {"Reply-To: nobody"}},
    {HeaderSign::reply_to_several, {"Reply-To: a@sender.example, b@sender.example"}},
    {HeaderSign::reply_to_other_domain, {"Reply-To: a@elsewhere.example"}},
    {HeaderSign::reply_to_free_mail, {"Reply-To: a@yahoo.co.uk"}},
    {HeaderSign::reply_to_other_free_mail, {"From: Ann <ann@gmail.com>", "Reply-To: ann2@gmail.com"}},
    {HeaderSign::reply_to_same_name, {"Reply-To: Ann Lee <a@elsewhere.example>"}},
    {HeaderSign::reply_to_is_recipient, {"Reply-To: bob.ray@corp.example"}},
    {HeaderSign::sender_other_domain, {"Sender: a@elsewhere.example"}},
    {HeaderSign::envelope_other_domain, {"From: Ann <ann@elsewhere.example>"}},
    {HeaderSign::receipt_other_domain, {"Disposition-Notification-To: a@elsewhere.example"}},
    {HeaderSign::to_undisclosed, {"To: undisclosed-recipients:;"}},
    {HeaderSign::only_cc, {"-To", "Cc: bob.ray@corp.example"}},
    {HeaderSign::recipient_absent, {"To: Carl <carl@corp.example>"}},
    {HeaderSign::to_malformed, {"To: bob"}},
    {HeaderSign::to_many, {"To: a@x.example,b@x.example,c@x.example,d@x.example,e@x.example,f@x.example,g@x.example,h@x.example,i@x.example,j@x.example"}},
    {HeaderSign::to_similar, {"To: bob1@x.example,bob2@x.example,bob3@x.example,bob4@x.example,bob5@x.example"}},
    {HeaderSign::to_sorted, {"To: a@x.example,b@x.example,c@x.example,d@x.example,e@x.example,f@x.example,g@x.example"}},
    {HeaderSign::to_name_is_address, {"To: \"bob.ray@corp.example\" <bob.ray@corp.example>"}},
    {HeaderSign::subject_capitals, {"Subject: READ THIS NOW"}},
    {HeaderSign::subject_false_reply, {"Subject: Re: Minutes"}},
    {HeaderSign::subject_false_reply, {"Subject: [team] AW: Minutes"}},
    {HeaderSign::subject_false_forward, {"Subject: Fwd: Minutes"}},
    {HeaderSign::subject_spaced_out, {"Subject: this is F R E E for you"}},
    {HeaderSign::subject_blank_run, {"Subject: Minutes          x"}},
    {HeaderSign::subject_ends_with_id, {"Subject: Minutes of today a7x93qk"}},
    {HeaderSign::subject_ends_with_id, {"Subject: Minutes of today xkqwrt"}},
    {HeaderSign::subject_long_number, {"Subject: Case 4711000"}},
    {HeaderSign::subject_money, {"Subject: You get $1,000"}},
    {HeaderSign::subject_money, {"Subject: You get 500 EUR"}},
    {HeaderSign::subject_invisible, {"Subject: =?utf-8?Q?Mi=E2=80=8Bnutes?="}},
    {HeaderSign::subject_styled, {"Subject: =?utf-8?Q?=F0=9D=95=80?="}},
    {HeaderSign::subject_mixed_scripts, {"Subject: =?utf-8?Q?P=D0=B0ypal?="}},
    {HeaderSign::subject_symbols, {"Subject: =?utf-8?Q?=E2=9A=A0_Minutes?="}},
    {HeaderSign::subject_exclamations, {"Subject: Minutes!"}},
    {HeaderSign::subject_exclaims_and_asks, {"Subject: Minutes?!"}},
    {HeaderSign::subject_ends_with_question, {"Subject: Minutes?"}},
    {HeaderSign::subject_long, {"Subject: " + std::string(201, 'x')}},
    {HeaderSign::subject_has_recipient, {"Subject: For bob.ray@corp.example alone"}},
    {HeaderSign::subject_has_recipient_name, {"Subject: bob.ray, look"}},
    {HeaderSign::subject_has_sender_domain, {"Subject: Hello from sender.example"}},
    {HeaderSign::mime_no_version, {"-MIME-Version", "Content-Transfer-Encoding: 7bit"}},
    {HeaderSign::mime_odd_version, {"MIME-Version: 2.0"}},
    {HeaderSign::mime_bad_type, {"Content-Type: text"}},
    {HeaderSign::mime_bad_type, {"Content-Type: text/plain;; charset=utf-8"}},
    {HeaderSign::mime_html_only, {"Content-Type: text/html; charset=utf-8", "\r\n<p>Hello Bob"}},
    {HeaderSign::mime_alternative_of_one, {kAlternative, "\r\n" + part("text/plain", kWords) + kEnd}},
    {HeaderSign::mime_alternative_no_plain, {kAlternative, "\r\n" + part("text/html", kWords) + kEnd}},
    {HeaderSign::mime_alternative_difference, {kAlternative, "\r\n" + part("text/plain", kWords) + part("text/html", kOther) + kEnd}},
    {HeaderSign::mime_alternative_differs, {kAlternative, "\r\n" + part("text/plain", kWords) + part("text/html", kOther) + kEnd}},
    {HeaderSign::mime_multipart_of_one, {"Content-Type: multipart/mixed; boundary=\"=_bound4ry\"", "\r\n" + part("text/plain", kWords) + kEnd}},
    {HeaderSign::mime_no_boundary, {"Content-Type: multipart/mixed", "\r\n" + part("text/plain", kWords) + kEnd}},
    {HeaderSign::mime_no_boundary, {"Content-Type: multipart/mixed; boundary=never-comes", "\r\n" + part("text/plain", kWords) + kEnd}},
    {HeaderSign::mime_boundary_digits, {"Content-Type: multipart/mixed; boundary=\"--1234567890\"", "\r\n----1234567890\r\n\r\nx\r\n----1234567890\r\n\r\ny\r\n----1234567890--\r\n"}},
    {HeaderSign::mime_boundary_short, {"Content-Type: multipart/mixed; boundary=\"bd\"", "\r\n--bd\r\n\r\nx\r\n--bd\r\n\r\ny\r\n--bd--\r\n"}},
    {HeaderSign::mime_preamble, {kAlternative, "\r\nBuy now!\r\n" + part("text/plain", kWords) + part("text/html", kWords) + kEnd}},
    {HeaderSign::mime_epilogue, {kAlternative, "\r\n" + part("text/plain", kWords) + part("text/html", kWords) + kEnd + "some more"}},
    {HeaderSign::mime_needless_base64, {"Content-Transfer-Encoding: base64", "\r\n" + kBase64Lines}},
    {HeaderSign::mime_bad_base64, {"Content-Transfer-Encoding: base64", "\r\n*#!" + kBase64Lines}},
    {HeaderSign::mime_bad_base64, {"Content-Transfer-Encoding: base64", "\r\n" + std::string(200, 'Q')}},
    {HeaderSign::mime_unknown_encoding, {"Content-Transfer-Encoding: rot13"}},
    {HeaderSign::mime_encoded_multipart, {kAlternative, "Content-Transfer-Encoding: base64", "\r\n" + part("text/plain", kWords) + part("text/html", kWords) + kEnd}},
    {HeaderSign::mime_false_7bit, {"Content-Transfer-Encoding: 7bit", "\r\ncaf\xc3\xa9"}},
    {HeaderSign::mime_false_ascii, {"Content-Type: text/plain; charset=us-ascii", "\r\ncaf\xc3\xa9"}},
    {HeaderSign::mime_false_utf8, {"\r\ncaf\xe9"}},
    {HeaderSign::mime_unknown_charset, {"Content-Type: text/plain; charset=x-nowhere"}},
    {HeaderSign::mime_no_charset, {"Content-Type: text/plain", "\r\ncaf\xc3\xa9"}},
    {HeaderSign::mime_long_body_lines, {"\r\n" + std::string(1000, 'x')}},
    {HeaderSign::mime_bare_text_file, {"Content-Disposition: attachment"}},
    {HeaderSign::mailer_two_names, {"X-Mailer: Foo 1.0", "User-Agent: Bar/2"}},
    {HeaderSign::mailer_false_message_id, {"X-Mailer: Microsoft Outlook Express 6.00.2600.0000"}},
    {HeaderSign::mailer_false_message_id, {"User-Agent: Mozilla Thunderbird"}},
    {HeaderSign::mailer_false_boundary, {kAlternative, "User-Agent: Mozilla Thunderbird", "\r\n" + part("text/plain", kWords) + part("text/html", kWords) + kEnd}},
    {HeaderSign::mailer_false_html, {"X-Mailer: Microsoft Outlook 16.0", "Content-Type: text/html", "\r\n<p>Hello"}},
    {HeaderSign::mailer_no_mimeole, {"X-MSMail-Priority: Normal"}},
    {HeaderSign::mailer_no_thread_index, {"X-Mailer: Microsoft Outlook 16.0"}},
    {HeaderSign::mailer_gibberish, {"X-Mailer: 4711.22"}},
    {HeaderSign::mailer_gibberish, {"X-Mailer: xkqwrtz"}},
    {HeaderSign::php_eval, {"X-PHP-Originating-Script: 33:a.php(1) : eval()'d code"}},
    {HeaderSign::priority_high, {"X-Priority: 1 (Highest)"}},
    {HeaderSign::priority_contradiction, {"X-Priority: 1", "Importance: low"}},
    {HeaderSign::bulk_no_unsubscribe, {"Precedence: bulk"}},
    {HeaderSign::unsubscribe_malformed, {"List-Unsubscribe: https://sender.example/u"}},
    {HeaderSign::unsubscribe_other_domain, {"List-Unsubscribe: <https://elsewhere.example/u>, <mailto:u@elsewhere.example?subject=x>"}},
    {HeaderSign::one_click_alone, {"List-Unsubscribe-Post: List-Unsubscribe=One-Click"}},
    {HeaderSign::filter_verdict_kept, {"X-Spam-Flag: YES"}},
    {HeaderSign::received_unreadable, {"^Received: rubbish"}},
    {HeaderSign::received_below_fields, {"+Received: from mail.sender.example by mail.sender.example with SMTP id 2; Tue, 24 Nov 2026 03:59:09 +0000"}},
    {HeaderSign::received_impossible_ip, {"^Received: from a.sender.example ([300.1.1.1]) by mail.sender.example with SMTP id 2; Tue, 24 Nov 2026 03:59:10 +0000"}},
    {HeaderSign::received_time_travel, {"^Received: from mx.corp.example by in.corp.example with SMTP; Mon, 23 Nov 2026 03:59:10 +0000"}},
    {HeaderSign::received_broken_chain, {"^Received: from b.elsewhere.example (b.elsewhere.example [198.51.100.9]) by in.corp.example with SMTP; Tue, 24 Nov 2026 03:59:11 +0000"}},
    {HeaderSign::received_first_helo_address, {"Received: from [198.51.100.7] by mx.corp.example with SMTP; Tue, 24 Nov 2026 03:59:10 +0000"}},
    {HeaderSign::received_first_helo_unqualified, {"Received: from friend ([198.51.100.7]) by mx.corp.example with SMTP; Tue, 24 Nov 2026 03:59:10 +0000"}},
    {HeaderSign::received_first_dialup, {"Received: from x.example (198-51-100-7.dyn.isp.example [198.51.100.7]) by mx.corp.example with SMTP; Tue, 24 Nov 2026 03:59:10 +0000"}},
    {HeaderSign::received_first_is_by, {"Received: from mx.corp.example ([198.51.100.7]) by mx.corp.example with SMTP; Tue, 24 Nov 2026 03:59:10 +0000"}},
    {HeaderSign::received_first_unknown, {"Received: from a.sender.example (unknown [198.51.100.7]) by mx.corp.example with SMTP; Tue, 24 Nov 2026 03:59:10 +0000"}},
    {HeaderSign::received_false_provider, {"Received: from mail.gmail.com (a.isp.example [198.51.100.7]) by mx.corp.example with SMTP; Tue, 24 Nov 2026 03:59:10 +0000"}},
};

// Signs with a test of their own below.
const std::set<HeaderSign> kElsewhere = {HeaderSign::date_hours_behind, HeaderSign::envelope_null_no_report, HeaderSign::to_count, HeaderSign::subject_capitals_share};

}  // namespace

TEST_CASE("a proper mail has no sign against it") {
  auto all = seen(signs_of(mail_with({})));
  std::erase(all, "to_count");
  std::erase(all, "date_hours_behind");          // the eight seconds of its way
  std::erase(all, "subject_capitals_share");
  CHECK(all == std::vector<std::string>{});
}

TEST_CASE("one change of a proper mail brings its sign") {
  std::set<HeaderSign> shown = kElsewhere;
  for (const Case& c : kCases) {
    std::string message = mail_with(c.changes);
    CAPTURE(kHeaderSigns[static_cast<std::size_t>(c.sign)].name, message.substr(0, 2000));
    CHECK(signs_of(message).has(c.sign));
    shown.insert(c.sign);
  }
  for (std::size_t i = 0; i < HeaderSigns::kSize; ++i) {
    if (kHeaderSigns[i].kind >= SignKind::context) continue;
    INFO("no case for " << kHeaderSigns[i].name);
    CHECK(shown.contains(static_cast<HeaderSign>(i)));
  }
}

TEST_CASE("names and sentences of signs are fit for rules and people") {
  std::set<std::string_view> names;
  for (const SignInfo& sign : kHeaderSigns) {
    CAPTURE(sign.name);
    CHECK(names.insert(sign.name).second);
    CHECK(sign.says.ends_with('.'));
    CHECK(std::all_of(sign.name.begin(), sign.name.end(), [](char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || c == '_'; }));
  }
}

TEST_CASE("what is proper in another way brings no sign") {
  struct Proper { HeaderSign sign; std::vector<std::string> changes; };
  const Proper cases[] = {
      {HeaderSign::subject_false_reply, {"Subject: Re: Minutes", "In-Reply-To: <1@sender.example>"}},
      {HeaderSign::subject_false_reply, {"Subject: Result: all good"}},
      {HeaderSign::subject_false_reply, {"Subject: Re: Minutes", "Thread-Index: AQHVgz2AuUu0"}},
      {HeaderSign::subject_needless_base64, {"Subject: =?utf-8?B?Y2Fmw6k=?="}},
      {HeaderSign::tiny_encoded_words, {"Subject: =?utf-8?Q?=C3=A9?="}},
      {HeaderSign::odd_case_of_names, {"-Message-ID", "+message-id: <20261124035902.4711@sender.example>", "-Cc", "+CC: c@corp.example"}},
      {HeaderSign::lines_without_name, {"^From ann.lee@sender.example Tue Nov 24 03:59:02 2026"}},
      {HeaderSign::mime_preamble, {kAlternative, "\r\nThis is a multi-part message in MIME format.\r\n" + part("text/plain", kWords) + part("text/html", kWords) + kEnd}},
      {HeaderSign::mime_alternative_differs, {kAlternative, "\r\n" + part("text/plain", kWords) + part("text/html", "<p>" + kWords + "<p>" + kOther) + kEnd}},
      {HeaderSign::mime_epilogue, {kAlternative, "\r\n" + part("text/plain", kWords) + part("text/html", kWords) + kEnd + "\r\n\r\n"}},
      {HeaderSign::mime_false_utf8, {"\r\n" + std::string(kMaxSignedBody - 1, 'x') + "\xc3\xa9\r\n"}},
      {HeaderSign::from_several, {"From: Your last chance, Ann <ann.lee@sender.example>"}},
      {HeaderSign::subject_has_recipient_name, {"Subject: [bob.ray] Minutes"}},
      {HeaderSign::subject_ends_with_id, {"Subject: Minutes of version 2026"}},
      {HeaderSign::subject_ends_with_id, {"Subject: Talk about HTTPS"}},
      {HeaderSign::subject_money, {"Subject: The dollar falls"}},
      {HeaderSign::subject_spaced_out, {"Subject: plan B or C"}},
      {HeaderSign::from_name_other_domain, {"From: \"J.R. Smith Ph.D.\" <ann.lee@sender.example>"}},
      {HeaderSign::from_name_other_address, {"From: \"team@sender.example\" <ann.lee@mail.sender.example>"}},
      {HeaderSign::reply_to_other_domain, {"Reply-To: ann@mail.sender.example"}},
      {HeaderSign::reply_to_is_recipient, {"Reply-To: ann.lee@sender.example", "To: ann.lee@sender.example"}},
      {HeaderSign::mailer_false_message_id, {"User-Agent: Mozilla Thunderbird", "Message-ID: <97669300-9876-51bd-aa3d-58d230d2d27f@sender.example>"}},
      {HeaderSign::mailer_false_message_id, {"X-Mailer: Microsoft Outlook Express 6.00.2600.0000", "Message-ID: <000701c248f5$1cd98500$508827d9@sender.example>"}},
      {HeaderSign::mailer_no_mimeole, {"X-MSMail-Priority: Normal", "X-MimeOLE: Produced By Microsoft MimeOLE V6"}},
      {HeaderSign::bulk_no_unsubscribe, {"Precedence: bulk", "List-Unsubscribe: <mailto:u@sender.example>"}},
      {HeaderSign::unsubscribe_other_domain, {"List-Unsubscribe: <mailto:u@lists.sender.example>"}},
      {HeaderSign::received_first_dialup, {"Received: from x.example (198-51-100-7.dyn.isp.example [198.51.100.7]) by mx.corp.example with ESMTPSA; Tue, 24 Nov 2026 03:59:10 +0000"}},
      {HeaderSign::message_id_false_provider, {"Message-ID: <CAKx0nDs@mail.gmail.com>", "^Received: from mail-a.google.com (mail-a.google.com [198.51.100.7]) by mx.corp.example with ESMTPS id 1; Tue, 24 Nov 2026 03:59:10 +0000"}},
      {HeaderSign::to_malformed, {"To: undisclosed-recipients:;"}},
  };
  for (const Proper& c : cases) {
    std::string message = mail_with(c.changes);
    CAPTURE(kHeaderSigns[static_cast<std::size_t>(c.sign)].name, message.substr(0, 2000));
    CHECK_FALSE(signs_of(message).has(c.sign));
  }
}

TEST_CASE("context tells what sort of mail it is") {
  struct Row { HeaderSign sign; std::vector<std::string> changes; };
  const Row cases[] = {
      {HeaderSign::from_no_reply, {"From: Shop <no-reply@sender.example>"}},
      {HeaderSign::from_free_mail, {"From: Ann <ann@outlook.de>"}},
      {HeaderSign::from_recipient_domain, {"From: Carl <carl@sales.corp.example>"}},
      {HeaderSign::mailer_script, {"X-Mailer: PHPMailer 6.8.0"}},
      {HeaderSign::php_script, {"X-PHP-Originating-Script: 33:a.php"}},
      {HeaderSign::bulk_precedence, {"Precedence: List"}},
      {HeaderSign::list_message, {"List-Id: <team.corp.example>"}},
      {HeaderSign::list_unsubscribe, {"List-Unsubscribe: <mailto:u@sender.example>"}},
      {HeaderSign::list_one_click, {"List-Unsubscribe: <https://sender.example/u>", "List-Unsubscribe-Post: List-Unsubscribe=One-Click"}},
      {HeaderSign::feedback_id, {"Feedback-ID: 1:2:3:esp"}},
      {HeaderSign::auto_submitted, {"Auto-Submitted: auto-replied"}},
      {HeaderSign::received_private_only, {"Received: from a.corp.example ([192.168.1.1]) by mx.corp.example with SMTP; Tue, 24 Nov 2026 03:59:10 +0000"}},
      {HeaderSign::received_authenticated, {"^Received: from [10.0.0.1] by a.example with ESMTPSA; Tue, 24 Nov 2026 03:59:10 +0000"}},
      {HeaderSign::received_web, {"Received: from [198.51.100.7] by web.example with HTTP; Tue, 24 Nov 2026 03:59:10 +0000"}},
  };
  HeaderSigns proper = signs_of(mail_with({}));
  for (const Row& c : cases) {
    CAPTURE(kHeaderSigns[static_cast<std::size_t>(c.sign)].name);
    CHECK_FALSE(proper.has(c.sign));
    CHECK(signs_of(mail_with(c.changes)).has(c.sign));
  }
  CHECK(proper.value(HeaderSign::received_count) == 1);
}

TEST_CASE("what cannot be decided is unknown") {
  HeaderContext nothing;
  HeaderSigns signs = signs_of(mail_with({"-Received"}), nothing);
  for (HeaderSign sign : {HeaderSign::date_future, HeaderSign::date_hours_behind, HeaderSign::envelope_null, HeaderSign::envelope_other_domain,
                          HeaderSign::free_mail_by_others, HeaderSign::recipient_absent, HeaderSign::message_id_false_provider}) {
    CAPTURE(kHeaderSigns[static_cast<std::size_t>(sign)].name);
    CHECK(signs.is_unknown(sign));
    CHECK_FALSE(signs.has(sign));
    CHECK_FALSE(signs_of(mail_with({})).is_unknown(sign));
  }
  // Return-Path says the same as MAIL FROM.
  CHECK(signs_of(mail_with({"^Return-Path: <a@elsewhere.example>"}), nothing).has(HeaderSign::envelope_other_domain));
  CHECK(signs_of(mail_with({"^Return-Path: <>"}), nothing).has(HeaderSign::envelope_null));
}

TEST_CASE("numbers count what they say") {
  HeaderContext context = proper_context();
  context.received_at = from_unix(1795492742 + 7200);   // two hours after Date
  HeaderSigns signs = signs_of(mail_with({"Date: Tue, 24 Nov 2026 03:59:02 +0000", "To: a@x.example, b@x.example", "Cc: c@x.example", "Subject: ABCD efgh"}), context);
  CHECK(signs.value(HeaderSign::date_hours_behind) == 2.0);
  CHECK(signs.value(HeaderSign::date_hours_ahead) == 0.0);
  CHECK(signs.value(HeaderSign::to_count) == 3);
  CHECK(signs.value(HeaderSign::subject_capitals_share) == 0.5);
  context.envelope_sender = "";
  CHECK(signs_of(mail_with({}), context).has(HeaderSign::envelope_null_no_report));
  CHECK_FALSE(signs_of(mail_with({"Auto-Submitted: auto-replied"}), context).has(HeaderSign::envelope_null_no_report));
  CHECK_FALSE(signs_of(mail_with({"Content-Type: multipart/report; boundary=abcdefgh", "\r\n--abcdefgh\r\n\r\nx\r\n--abcdefgh--\r\n"}), context).has(HeaderSign::envelope_null_no_report));
}

TEST_CASE("of a header beyond the limits nothing is called missing") {
  std::string filler;
  for (std::size_t i = 0; i < kMaxSignedFields; ++i) filler += "X-A: 1\r\n";
  HeaderSigns fields = signs_of(filler + mail_with({}));
  CHECK(fields.is_unknown(HeaderSign::no_from));
  CHECK(fields.is_unknown(HeaderSign::no_date));
  HeaderSigns octets = signs_of("X-A: " + std::string(kMaxSignedHeader, 'x') + "\r\n" + mail_with({}));
  CHECK(octets.is_unknown(HeaderSign::no_from));
  // A large body is no large header.
  CHECK_FALSE(signs_of(mail_with({"\r\n" + std::string(2 * kMaxSignedHeader, 'x')})).is_unknown(HeaderSign::no_from));
}

TEST_CASE("a hostile message costs no more than its limits") {
  auto repeated = [](std::string_view piece, std::size_t octets) {
    std::string out;
    while (out.size() < octets) out += piece;
    return out;
  };
  constexpr std::size_t kMany = 4 << 20;
  const std::string bodies[] = {
      repeated("Received: from a.b.example (c.d.example [1.2.3.4]) by e.f.example; Tue, 24 Nov 2026 03:59:02 +0000\r\n", kMany),
      "Subject: " + repeated("=?utf-8?Q?=C3=A9?= ", kMany) + "\r\n",
      "From: " + repeated("a@b.example, ", kMany) + "\r\n",
      "To: " + repeated("\"a@b\" <a@b.example>, ", kMany) + "\r\n",
      "From: " + repeated("@", kMany) + "\r\n",
      "From: a.b@c.example, \"" + repeated("a@", kMany) + "\" <x@y.example>\r\n",
      "List-Unsubscribe: " + repeated("<", kMany) + "\r\n",
      "Message-ID: <" + repeated("a@", kMany) + "\r\n",
      "Subject: " + repeated("$ ", kMany) + "\r\n",
      repeated("\r\n ", kMany),
      "Content-Type: multipart/alternative; boundary=b\r\n\r\n" + repeated("--b\r\nContent-Type: text/html\r\n\r\na b c d\r\n--b\r\n\r\ne f g h\r\n", kMany),
      "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + repeated("x ", kMany),
      "Content-Type: text/html; charset=utf-8\r\n\r\n" + repeated("\xff", kMany),
      "Content-Transfer-Encoding: base64\r\n\r\n" + repeated("====", kMany),
  };
  HeaderContext context = proper_context();
  for (int i = 0; i < 5000; ++i) context.recipients.push_back("user" + std::to_string(i) + "@corp.example");
  for (const std::string& message : bodies) {
    CAPTURE(message.substr(0, 60));
    auto table = mail::parse(message);
    CHECK(postern::testing::thread_time([&] { header_signs(message, table, context); }) < postern::testing::out_of_bounds(std::chrono::milliseconds(150)));
  }
}
