#pragma once

#include <string>

#include "gateway/delivery/plan.h"

namespace postern::delivery {

// The fields that stand before this recipient's copy, in order: Return-Path, Delivered-To, Received,
// Authentication-Results, X-Postern-Verdict, X-Postern-Why, X-Spam-Flag.  Design 7.
std::string header_prefix(const Judged& message, std::size_t recipient, const std::string& hostname);

// The same for a copy that goes on: without Return-Path and Delivered-To, which are for who delivers it (RFC 5321 4.4).
// Of a submitted message: Received alone.
std::string onward_prefix(const Judged& message, std::size_t recipient, const std::string& hostname);

// The same for what is held in its sender's own mailbox: Received and why.
std::string held_prefix(const Judged& message, std::size_t recipient, const std::string& hostname);

// The fields of a copy that `sent_by` of ours sends on to a foreign address: Delivered-To, by which it is known when it
// comes back (RFC 9228), Received, Authentication-Results.  What we thought of it is nobody's business there.
std::string forwarded_prefix(const Judged& message, const std::string& sent_by, const std::string& hostname);

// The fields of a copy that a rule wants kept: Received, Authentication-Results, what we thought of it, and the envelope
// that its own fields do not tell, in X-Postern-Journal-From and an X-Postern-Journal-To a recipient, blind copies
// included.
std::string journal_prefix(const Judged& message, const std::string& hostname);

// "junk score=4.5 id=7Q3K2", the value of X-Postern-Verdict.
std::string verdict_value(std::string_view verdict, double score, std::string_view id);

}  // namespace postern::delivery
