#pragma once

#include <optional>

#include "gateway/smtp/command.h"
#include "gateway/smtp/judge.h"
#include "gateway/smtp/reply.h"

// The parameters by which a sender says what he wants to hear of his message: RFC 3461 4.
namespace postern::smtp {

// RET and ENVID.  False: `key` is neither.  `problem`: what is wrong with the value.
bool take_dsn_parameter(const std::string& key, const std::string& value, Sender& sender, std::optional<Reply>& problem);

// All of RCPT's parameters, which are NOTIFY and ORCPT; a reply says what is wrong.  `utf8`: the transaction is SMTPUTF8.
std::optional<Reply> take_parameters(const PathArgument& argument, bool utf8, Recipient& recipient);

// RFC 3461 4: a parameter that is given twice is a mistake.
std::optional<Reply> refuse_doubled(const PathArgument& argument);

}  // namespace postern::smtp
