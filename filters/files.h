#pragma once

#include <memory>
#include <string_view>

#include "filters/content.h"
#include "filters/facts.h"
#include "gateway/base/bytes.h"
#include "gateway/io/task.h"
#include "gateway/io/worker_pool.h"
#include "gateway/mail/mime.h"

namespace postern::filters {

// What the attachments of a message are and what lies in them.  Any thread; bounded as attachment_signs.h says.
//
// Archives that only libarchive can open are not opened here: there is no jail around us.  They say so.
Files files_of(std::string_view message, const mail::PartTable& table);

// The same on a worker, unless there is no attachment.  `workers` nullptr: here; else it outlives the task.
io::Task<Files> find_files(Octets octets, std::shared_ptr<Parts> parts, io::WorkerPool* workers);

}  // namespace postern::filters
