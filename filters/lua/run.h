#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "filters/lua/scene.h"
#include "filters/lua/state.h"
#include "filters/lua/verdict.h"
#include "gateway/io/task.h"

namespace postern::filters::lua {

// Hears the answers of a stage in reading order.
class Reader {
 public:
  virtual ~Reader() = default;
  // False: the stage is decided, the rest is not read (and cancelled).
  virtual bool read(Answer answer) = 0;
};

// Starts all `rules` (indices in reading order) together and reads their answers in that order.
// A rule that has not answered at scene.stage_ends is read as failed.  `scene` must use `state`;
// scene and reader must outlive the task.
io::Task<void> run_stage(std::shared_ptr<State> state, std::vector<std::size_t> rules, Scene& scene, std::size_t recipient,
                         Reader& reader);

}  // namespace postern::filters::lua
