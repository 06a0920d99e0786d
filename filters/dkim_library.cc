// libopendkim 2.11: canonicalisation, hashes and RSA/Ed25519 verification.  Everything around it
// (grammar, DNS, clock, policy) is ours, because of what the library does there:
//  - at dkim_eom a key callback that says "try again" turns into a bad signature, so all keys are
//    fetched before and the callback only looks into a table;
//  - x= and t= are compared with time(), so our own clock is applied before and the library's
//    comparison is made harmless by its clock drift;
//  - field selection writes one pointer beyond its array when h= asks for more than all fields that
//    the message has, so a field that no h= can name is put in front.
#include "filters/dkim_library.h"

#define _Bool bool  // <opendkim/dkim.h> is C99
#include <opendkim/dkim.h>
#undef _Bool

#include <memory>

#include "gateway/base/check.h"

namespace postern::filters {
namespace {

// libopendkim takes pointers to non-const octets everywhere and changes none of these.
unsigned char* octets(std::string_view text) {
  return reinterpret_cast<unsigned char*>(const_cast<char*>(text.data()));
}

struct CloseLibrary {
  void operator()(DKIM_LIB* library) const { dkim_close(library); }
};
struct FreeHandle {
  void operator()(DKIM* handle) const { dkim_free(handle); }
};
using Library = std::unique_ptr<DKIM_LIB, CloseLibrary>;
using Handle = std::unique_ptr<DKIM, FreeHandle>;

// The signatures of one message with the library's name for each.
struct Table {
  std::vector<std::pair<DKIM_SIGINFO*, LibrarySignature*>> entries;
};

DKIM_CBSTAT look_up_key(DKIM* handle, DKIM_SIGINFO* which, unsigned char* buffer, std::size_t size) {
  auto* table = static_cast<Table*>(dkim_get_user_context(handle));
  for (auto& [info, signature] : table->entries) {
    if (info != which) continue;
    const std::string& record = signature->key_record;
    if (record.empty() || record.size() + 1 > size) return DKIM_CBSTAT_NOTFOUND;
    record.copy(reinterpret_cast<char*>(buffer), record.size());
    buffer[record.size()] = '\0';
    return DKIM_CBSTAT_CONTINUE;
  }
  return DKIM_CBSTAT_NOTFOUND;
}

// One a thread: the clock drift is an option of the library handle, and differs by message.
DKIM_LIB* library_of_this_thread() {
  thread_local Library library = [] {
    Library made(dkim_init(nullptr, nullptr));
    CHECK(made != nullptr);
    // BADSIGHANDLES: one entry for each field, and a From that the library cannot read spoils nothing.
    unsigned flags = DKIM_LIBFLAGS_DELAYSIGPROC | DKIM_LIBFLAGS_BADSIGHANDLES;
    CHECK(dkim_options(made.get(), DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags, sizeof flags) == DKIM_STAT_OK);
    unsigned no_minimum = 0;  // sizes of keys are judged by us, with the reason in words
    CHECK(dkim_options(made.get(), DKIM_OP_SETOPT, DKIM_OPTS_MINKEYBITS, &no_minimum, sizeof no_minimum) == DKIM_STAT_OK);
    CHECK(dkim_set_key_lookup(made.get(), look_up_key) == DKIM_STAT_OK);
    return made;
  }();
  return library.get();
}

void fail_all(LibraryMessage& message, std::string_view why) {
  for (auto& signature : message.signatures) {
    if (!signature.verify) continue;
    signature.outcome = LibrarySignature::Outcome::unusable;
    signature.why = why;
  }
}

std::string_view words(const char* text) { return text != nullptr ? text : "no reason given"; }

void feed_body(DKIM* handle, std::string_view body) {
  if (body.empty()) return;
  dkim_body(handle, octets(body), body.size());
  // RFC 6376 3.4.3 and 3.4.4: a last line without its end is hashed with one.
  if (!body.ends_with("\r\n")) dkim_body(handle, octets("\r\n"), 2);
}

void read_outcome(DKIM_SIGINFO* info, LibrarySignature& signature) {
  using Outcome = LibrarySignature::Outcome;
  int error = dkim_sig_geterror(info);
  bool passed = (dkim_sig_getflags(info) & DKIM_SIGFLAG_PASSED) != 0;
  int body = dkim_sig_getbh(info);
  if (error == DKIM_SIGERROR_OK && passed && body == DKIM_SIGBH_MATCH) {
    signature.outcome = Outcome::good;
  } else if (error == DKIM_SIGERROR_TOOLARGE_L) {
    signature.outcome = Outcome::short_body;
  } else if (passed && body == DKIM_SIGBH_MISMATCH) {
    signature.outcome = Outcome::bad_body;
  } else if (error == DKIM_SIGERROR_BADSIG) {
    signature.outcome = Outcome::bad_signature;
  } else {
    signature.outcome = Outcome::unusable;
    signature.why = words(dkim_sig_geterrorstr(error));
  }
}

// False when the library refuses the message as a whole.
bool feed_header(DKIM* handle, const std::vector<std::string_view>& fields) {
  constexpr std::string_view kNoField = "no field:";  // a space: h= cannot name it
  if (dkim_header(handle, octets(kNoField), kNoField.size()) != DKIM_STAT_OK) return false;
  for (std::string_view field : fields) {
    DKIM_STAT status = dkim_header(handle, octets(field), field.size());
    // SYNTAX is of this field alone (rubbish without a colon): it cannot be signed, so it is left out.
    if (status != DKIM_STAT_OK && status != DKIM_STAT_SYNTAX) return false;
  }
  return true;
}

}  // namespace

void run_libopendkim(LibraryMessage& message) {
  DKIM_LIB* library = library_of_this_thread();
  std::uint64_t drift = message.clock_drift;
  CHECK(dkim_options(library, DKIM_OP_SETOPT, DKIM_OPTS_CLOCKDRIFT, &drift, sizeof drift) == DKIM_STAT_OK);
  DKIM_STAT status = DKIM_STAT_OK;
  static const unsigned char id[] = "message";
  Handle handle(dkim_verify(library, id, nullptr, &status));
  if (handle == nullptr) return fail_all(message, "out of memory");
  Table table;
  dkim_set_user_context(handle.get(), &table);

  if (!feed_header(handle.get(), message.fields)) return fail_all(message, "the header cannot be read");
  status = dkim_eoh(handle.get());
  DKIM_SIGINFO** infos = nullptr;
  int count = 0;
  if (status != DKIM_STAT_OK || dkim_getsiglist(handle.get(), &infos, &count) != DKIM_STAT_OK ||
      static_cast<std::size_t>(count) != message.signatures.size()) {
    return fail_all(message, "the header cannot be read: " + std::string(words(dkim_geterror(handle.get()))));
  }
  for (int i = 0; i < count; ++i) {
    LibrarySignature& signature = message.signatures[static_cast<std::size_t>(i)];
    if (!signature.verify) dkim_sig_ignore(infos[i]);
    table.entries.emplace_back(infos[i], &signature);
  }
  feed_body(handle.get(), message.body);
  bool testing = false;
  dkim_eom(handle.get(), &testing);  // the result of the best one; each has its own below
  for (auto& [info, signature] : table.entries) {
    if (signature->verify) read_outcome(info, *signature);
  }
}

}  // namespace postern::filters
