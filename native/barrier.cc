// Arrays that nobody may read before all of them are there. They stay where they are: results are
// their operands' memory.

#include "handler.h"

namespace slipstream {
namespace {

ffi::Error run(ffi::RemainingArgs, ffi::RemainingRets) { return ffi::Error::Success(); }

SLIPSTREAM_HANDLER(barrier, run, ffi::Ffi::Bind().RemainingArgs().RemainingRets());

}  // namespace
}  // namespace slipstream
