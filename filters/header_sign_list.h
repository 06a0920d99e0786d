#pragma once

#include <array>
#include <cstdint>

#include "filters/signs.h"

// The signs of a message's header and MIME structure.  Grouped as header_signs_*.cc finds them.
// The fields: RFC 5322 3.6; encoded words: RFC 2047; MIME: RFC 2045, RFC 2046.

// clang-format off
#define POSTERN_HEADER_SIGNS(SIGN) \
  /* The fields themselves. */ \
  SIGN(no_from, flag, "There is no From field.") \
  SIGN(no_date, flag, "There is no Date field.") \
  SIGN(no_message_id, flag, "There is no Message-ID field.") \
  SIGN(no_subject, flag, "There is no Subject field.") \
  SIGN(no_recipient_field, flag, "There is neither To nor Cc nor Bcc.") \
  SIGN(empty_fields, number, "So many of the fields From, To, Subject, Date, Message-ID and Reply-To are there and empty.") \
  SIGN(repeated_fields, number, "So many fields that may stand once stand more than once.") \
  SIGN(repeated_from, flag, "There are several From fields.") \
  SIGN(repeated_subject, flag, "There are several Subject fields.") \
  SIGN(repeated_content_type, flag, "There are several Content-Type fields.") \
  SIGN(lines_without_name, number, "So many lines of the header are no fields.") \
  SIGN(space_before_colon, number, "So many field names are followed by a space before the colon.") \
  SIGN(no_space_after_colon, number, "So many of the common fields have no space behind the colon.") \
  SIGN(tab_after_colon, number, "So many of the common fields have a tab behind the colon.") \
  SIGN(odd_case_of_names, number, "So many names of common fields are written in letters of a case that mail programs do not use.") \
  SIGN(blank_folded_lines, number, "So many folded lines of the header are blank.") \
  SIGN(long_header_line, flag, "A header line is longer than 998 octets.") \
  SIGN(raw_8bit_fields, number, "So many fields hold octets above 127 that are not encoded.") \
  SIGN(raw_not_utf8, flag, "Octets in the header are neither ASCII nor UTF-8.") \
  SIGN(raw_8bit_from, flag, "From holds octets above 127 that are not encoded.") \
  SIGN(raw_8bit_subject, flag, "Subject holds octets above 127 that are not encoded.") \
  SIGN(control_characters, flag, "The header holds control characters.") \
  /* Encoded words. */ \
  SIGN(subject_needless_base64, flag, "Subject is plain ASCII and encoded in base 64 all the same.") \
  SIGN(subject_needless_quoted, flag, "Subject is plain ASCII and encoded as quoted-printable all the same.") \
  SIGN(from_needless_base64, flag, "The name in From is plain ASCII and encoded in base 64 all the same.") \
  SIGN(from_needless_quoted, flag, "The name in From is plain ASCII and encoded as quoted-printable all the same.") \
  SIGN(broken_encoded_words, number, "So many encoded words in From, To and Subject cannot be decoded.") \
  SIGN(unknown_word_charsets, number, "So many encoded words name a charset that there is not.") \
  SIGN(mixed_word_charsets, flag, "The encoded words of one field are in different charsets.") \
  SIGN(tiny_encoded_words, number, "So many encoded words of Subject and From hold three characters or fewer and another follows.") \
  SIGN(encoded_word_in_address, flag, "An encoded word stands inside of an address.") \
  SIGN(encoded_line_end, flag, "An encoded word hides a line end or a NUL.") \
  /* Date and Message-ID. */ \
  SIGN(date_unreadable, flag, "Date is no date.") \
  SIGN(date_improper, flag, "Date is readable, but not as the standard wants it.") \
  SIGN(date_wrong_weekday, flag, "The weekday in Date is not that of the day.") \
  SIGN(date_impossible_zone, flag, "The zone in Date is none on earth.") \
  SIGN(date_unknown_zone, flag, "Date does not say in which zone it was written.") \
  SIGN(date_hours_ahead, number, "Date is so many hours later than the message came.") \
  SIGN(date_hours_behind, number, "Date is so many hours earlier than the message came.") \
  SIGN(date_future, flag, "Date is more than three hours later than the message came.") \
  SIGN(date_past, flag, "Date is more than three days earlier than the message came.") \
  SIGN(message_id_malformed, flag, "Message-ID is not one word in angle brackets.") \
  SIGN(message_id_no_domain, flag, "Message-ID has no domain.") \
  SIGN(message_id_address, flag, "Message-ID has an IP address as its domain.") \
  SIGN(message_id_unqualified, flag, "The domain of Message-ID has no dot.") \
  SIGN(message_id_local_host, flag, "The domain of Message-ID is localhost or the like.") \
  SIGN(message_id_other_domain, flag, "The domain of Message-ID is not that of From.") \
  SIGN(message_id_unrelated, flag, "The domain of Message-ID is neither that of From, Sender or the envelope nor of any server on the way.") \
  SIGN(message_id_many_at, flag, "Message-ID holds more than one at sign.") \
  SIGN(message_id_short, flag, "What stands before the at sign of Message-ID is shorter than six letters.") \
  SIGN(message_id_has_recipient, flag, "Message-ID holds the recipient's address.") \
  SIGN(message_id_false_provider, flag, "Message-ID is that of a large provider whose servers have not carried the message.") \
  /* From, Sender, Reply-To, Return-Path. */ \
  SIGN(from_malformed, flag, "From holds no usable address.") \
  SIGN(from_several, flag, "From names several addresses.") \
  SIGN(from_loose_words, flag, "Beside the address, From holds words that are no name of it, as behind a comma without quotes.") \
  SIGN(from_unqualified, flag, "The domain of From has no dot.") \
  SIGN(from_no_name, flag, "From is an address without a name.") \
  SIGN(from_blank_name, flag, "From has an empty name in quotes.") \
  SIGN(from_name_own_address, flag, "The name in From is the same address again.") \
  SIGN(from_name_other_address, flag, "The name in From is another address than the real one.") \
  SIGN(from_name_other_domain, flag, "The name in From is or holds a domain that is not that of the address.") \
  SIGN(from_name_recipient_domain, flag, "The name in From holds the recipient's domain or its first word, the address does not.") \
  SIGN(from_name_symbols, number, "So many emoji and other symbols stand in the name in From.") \
  SIGN(from_name_invisible, flag, "The name in From holds invisible characters.") \
  SIGN(from_name_styled, flag, "The name in From is written in letters that only imitate letters.") \
  SIGN(from_name_capitals, flag, "The name in From is all capitals.") \
  SIGN(from_local_long, flag, "The local part of From is longer than 40 letters.") \
  SIGN(from_local_begins_with_digits, flag, "The local part of From begins with two digits or more.") \
  SIGN(from_local_random, flag, "The local part of From looks made up by a machine: long hexadecimal, or many letters without a vowel.") \
  SIGN(from_no_reply, context, "From is an address that wants no answer.") \
  SIGN(from_free_mail, context, "From is an address of a free mail provider.") \
  SIGN(from_is_recipient, flag, "From is one of the recipients.") \
  SIGN(from_recipient_domain, context, "From is of the recipient's own domain.") \
  SIGN(free_mail_by_others, flag, "From is of a free mail provider and the envelope sender of another domain.") \
  SIGN(reply_to_malformed, flag, "Reply-To holds no usable address.") \
  SIGN(reply_to_several, flag, "Reply-To names several addresses.") \
  SIGN(reply_to_other_domain, flag, "Answers go to another domain than that of From.") \
  SIGN(reply_to_free_mail, flag, "Answers go to a free mail provider, and From is elsewhere.") \
  SIGN(reply_to_other_free_mail, flag, "From and Reply-To are two different addresses at free mail providers.") \
  SIGN(reply_to_same_name, flag, "Reply-To has the name of From and another address.") \
  SIGN(reply_to_is_recipient, flag, "Answers go to the recipient himself.") \
  SIGN(sender_other_domain, flag, "Sender is of another domain than From.") \
  SIGN(envelope_other_domain, flag, "The envelope sender is of another domain than From.") \
  SIGN(envelope_null, context, "The envelope sender is the null path.") \
  SIGN(envelope_null_no_report, flag, "The envelope sender is the null path and the message is no report.") \
  SIGN(receipt_other_domain, flag, "A receipt is asked for to another domain than that of From.") \
  /* To, Cc. */ \
  SIGN(to_undisclosed, flag, "To is a group without addresses, or says undisclosed.") \
  SIGN(only_cc, flag, "There is Cc without To.") \
  SIGN(recipient_absent, flag, "No recipient of the envelope stands in To or Cc.") \
  SIGN(to_malformed, flag, "To holds something that is no address.") \
  SIGN(to_count, number, "So many addresses stand in To and Cc (counted up to 200).") \
  SIGN(to_many, flag, "Ten addresses or more stand in To and Cc.") \
  SIGN(to_similar, number, "The share of neighbours in To and Cc that begin alike, of five addresses and more.") \
  SIGN(to_sorted, flag, "Seven addresses or more stand in To and Cc in the order of the alphabet.") \
  SIGN(to_name_is_address, flag, "The recipient's name in To is his address.") \
  /* Subject. */ \
  SIGN(subject_capitals, flag, "Subject is all capitals.") \
  SIGN(subject_capitals_share, number, "The share of capitals in the letters of Subject, of eight letters and more.") \
  SIGN(subject_false_reply, flag, "Subject says that it is an answer and nothing says to what.") \
  SIGN(subject_false_forward, flag, "Subject says that it is forwarded, and neither a reference nor a part shows it.") \
  SIGN(subject_spaced_out, flag, "Letters in Subject are spaced out.") \
  SIGN(subject_blank_run, flag, "Five spaces or more stand in a row in Subject.") \
  SIGN(subject_ends_with_id, flag, "Subject ends in a string of letters and digits that says nothing.") \
  SIGN(subject_long_number, flag, "Subject holds a number of six digits or more.") \
  SIGN(subject_money, flag, "Subject names an amount of money.") \
  SIGN(subject_invisible, number, "So many invisible characters stand in Subject.") \
  SIGN(subject_styled, number, "So many letters of Subject only imitate letters.") \
  SIGN(subject_mixed_scripts, number, "So many words of Subject mix letters of alphabets that look alike.") \
  SIGN(subject_symbols, number, "So many emoji and other symbols stand in Subject.") \
  SIGN(subject_exclamations, number, "So many exclamation marks stand in Subject.") \
  SIGN(subject_exclaims_and_asks, flag, "Question and exclamation mark stand side by side in Subject.") \
  SIGN(subject_ends_with_question, flag, "Subject ends in a question mark.") \
  SIGN(subject_long, flag, "Subject is longer than 200 characters.") \
  SIGN(subject_has_recipient, flag, "Subject holds the recipient's address.") \
  SIGN(subject_has_recipient_name, flag, "Subject holds the local part of the recipient's address as a word.") \
  SIGN(subject_has_sender_domain, flag, "Subject holds the domain of From.") \
  /* MIME. */ \
  SIGN(mime_no_version, flag, "There is MIME structure without MIME-Version.") \
  SIGN(mime_odd_version, flag, "MIME-Version is not 1.0.") \
  SIGN(mime_bad_type, flag, "Content-Type is malformed.") \
  SIGN(mime_html_only, flag, "The text is there as HTML only.") \
  SIGN(mime_alternative_of_one, flag, "A choice of texts (multipart/alternative) has one text only, or none.") \
  SIGN(mime_alternative_no_plain, flag, "A choice of texts (multipart/alternative) has no plain one.") \
  SIGN(mime_alternative_difference, number, "The share of the words of the plain text that the HTML one does not have.") \
  SIGN(mime_alternative_differs, flag, "Plain text and HTML say different things.") \
  SIGN(mime_multipart_of_one, flag, "A multipart/mixed or related has one part only.") \
  SIGN(mime_no_boundary, flag, "A multipart names no boundary, or one that never comes.") \
  SIGN(mime_boundary_digits, flag, "A boundary is made of digits.") \
  SIGN(mime_boundary_short, flag, "A boundary is shorter than eight characters.") \
  SIGN(mime_preamble, number, "So many octets stand before the first part that say something else than that this is MIME.") \
  SIGN(mime_epilogue, number, "So many octets that are no white space stand behind the last part.") \
  SIGN(mime_needless_base64, flag, "A text of short ASCII lines is encoded in base 64.") \
  SIGN(mime_bad_base64, flag, "A base 64 text has octets outside of its alphabet, or lines of odd length.") \
  SIGN(mime_unknown_encoding, flag, "A Content-Transfer-Encoding is none that there is.") \
  SIGN(mime_encoded_multipart, flag, "A multipart is encoded as a whole.") \
  SIGN(mime_false_7bit, flag, "A part that calls itself 7bit holds octets above 127.") \
  SIGN(mime_false_ascii, flag, "A text that calls itself US-ASCII holds octets above 127.") \
  SIGN(mime_false_utf8, flag, "A text that calls itself UTF-8 is none.") \
  SIGN(mime_unknown_charset, flag, "A text names a charset that there is not.") \
  SIGN(mime_no_charset, flag, "A text holds octets above 127 and names no charset.") \
  SIGN(mime_long_body_lines, flag, "A line of the body is longer than 998 octets.") \
  SIGN(mime_bare_text_file, flag, "A part is sent as a file without a name.") \
  /* What the mail program says of itself. */ \
  SIGN(mailer_script, context, "The message was made by a program library or a web page.") \
  SIGN(mailer_two_names, flag, "X-Mailer and User-Agent name different programs.") \
  SIGN(mailer_false_message_id, flag, "Message-ID is not of the form that the named mail program writes.") \
  SIGN(mailer_false_boundary, flag, "The boundary is not of the form that the named mail program writes.") \
  SIGN(mailer_false_html, flag, "The named mail program does not send HTML alone.") \
  SIGN(mailer_no_mimeole, flag, "X-MSMail-Priority stands without X-MimeOLE, which the same programs write.") \
  SIGN(mailer_no_thread_index, flag, "X-Mailer names Outlook, and Thread-Index is missing.") \
  SIGN(mailer_gibberish, flag, "The name of the mail program says nothing: no word, or no letters.") \
  SIGN(php_script, context, "A field names the script of a web page that sent the message.") \
  SIGN(php_eval, flag, "The script that sent the message was run from a text (eval), as intruders do.") \
  SIGN(priority_high, flag, "The message calls itself urgent.") \
  SIGN(priority_contradiction, flag, "The fields of priority contradict each other.") \
  /* Bulk. */ \
  SIGN(bulk_precedence, context, "Precedence says bulk, list or junk.") \
  SIGN(list_message, context, "List-Id names a mailing list.") \
  SIGN(list_unsubscribe, context, "List-Unsubscribe says how to leave.") \
  SIGN(list_one_click, context, "Leaving takes one click.") \
  SIGN(feedback_id, context, "Feedback-ID names a campaign of a sending service.") \
  SIGN(auto_submitted, context, "A program wrote the message by itself.") \
  SIGN(bulk_no_unsubscribe, flag, "Precedence says bulk, and nothing says how to leave.") \
  SIGN(unsubscribe_malformed, flag, "List-Unsubscribe holds no link in angle brackets.") \
  SIGN(unsubscribe_other_domain, flag, "One leaves at a domain that is neither that of From nor of the envelope sender.") \
  SIGN(one_click_alone, flag, "List-Unsubscribe-Post stands without a https link in List-Unsubscribe.") \
  SIGN(filter_verdict_kept, flag, "A spam filter on the way has marked the message as spam.") \
  /* The way here, as Received tells it. */ \
  SIGN(received_count, context_number, "So many servers have written Received.") \
  SIGN(received_unreadable, number, "So many Received fields are not as any server writes them.") \
  SIGN(received_below_fields, flag, "A Received field stands below From or Subject.") \
  SIGN(received_private_only, context, "All addresses in Received are private ones.") \
  SIGN(received_impossible_ip, flag, "A Received field holds an address that cannot be.") \
  SIGN(received_time_travel, number, "The largest number of hours that a later server's clock is behind an earlier one's.") \
  SIGN(received_broken_chain, number, "So many servers got the message from a host that the one before does not name.") \
  SIGN(received_first_helo_address, flag, "The first host on the way called itself by an address.") \
  SIGN(received_first_helo_unqualified, flag, "The first host on the way called itself by a name without a dot.") \
  SIGN(received_first_dialup, flag, "The first host on the way has the name of a home line.") \
  SIGN(received_first_is_by, flag, "The first host on the way called itself by the name of the server that it talked to.") \
  SIGN(received_first_unknown, flag, "The first host on the way has no name in DNS, as the server says that took the message.") \
  SIGN(received_false_provider, flag, "A host called itself by the name of a large provider and has the name of another.") \
  SIGN(received_authenticated, context, "A server on the way knew its user.") \
  SIGN(received_web, context, "The message began at a web page.")
// clang-format on

namespace postern::filters {

enum class HeaderSign : std::uint8_t {
#define POSTERN_SIGN_MEMBER(name, kind, says) name,
  POSTERN_HEADER_SIGNS(POSTERN_SIGN_MEMBER)
#undef POSTERN_SIGN_MEMBER
  count_
};

// In the order of the enum.
inline constexpr auto kHeaderSigns = std::to_array<SignInfo>({
#define POSTERN_SIGN_INFO(name, kind, says) {#name, SignKind::kind, says},
    POSTERN_HEADER_SIGNS(POSTERN_SIGN_INFO)
#undef POSTERN_SIGN_INFO
});

}  // namespace postern::filters
