#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What dkim.cc asks of libopendkim; dkim_library.cc alone includes its header.
namespace postern::filters {

// One DKIM-Signature field that goes to the library, in the order of the fields.
struct LibrarySignature {
  bool verify = false;        // false: only there because another signature may cover it
  std::string key_record;     // as DkimKey::record

  enum class Outcome {
    not_run,
    good,           // signature and body hash are right
    bad_body,       // the body hash is not bh=
    bad_signature,  // header or signature were changed, or another key signed
    short_body,     // l= is more than there is
    unusable        // `why` in the library's words
  } outcome = Outcome::not_run;
  std::string why;
};

struct LibraryMessage {
  std::vector<std::string_view> fields;  // whole header fields, without their final line end
  std::string_view body;                 // with CRLF line ends
  std::vector<LibrarySignature> signatures;  // of the DKIM-Signature fields among `fields`, one each
  std::uint64_t clock_drift = 0;         // seconds
};

// Fills in `outcome` and `why`.  CPU work (hashes, RSA) and no waiting; safe from any thread, as each
// thread has its own library handle.  The views must stay valid for the call.
void run_libopendkim(LibraryMessage& message);

}  // namespace postern::filters
