// The addon as one source: what all of its files include is read once, the compiler sees the whole,
// and each way of building it has the same list. Of each mechanism, it has the one of the system.

#include "binding/alarm.cc"
#include "binding/buffers.cc"
#include "binding/clock.cc"
#include "binding/draft.cc"
#include "binding/endings.cc"
#include "binding/environment.cc"
#include "binding/exports.cc"
#include "binding/libuv.cc"
#include "binding/lock.cc"
#include "binding/loop_hook.cc"
#include "binding/mailbox.cc"
#include "binding/module.cc"
#include "binding/object.cc"
#include "binding/seats.cc"
#include "binding/segment.cc"
#include "binding/spinner.cc"
#include "binding/watches.cc"
#include "core/agent_thread.cc"
#include "core/alarm_thread.cc"
#include "core/manager_end.cc"
#include "core/mapping.cc"
#include "core/quarantine.cc"
#include "core/shared_object.cc"
#include "core/shared_object_growth.cc"
#include "core/shared_object_lock.cc"
#include "core/spin_time.cc"
#include "core/unmapper.cc"
#include "core/watch_thread.cc"

#if defined(__MINGW32__)
// Node's own ways of building bring another, for Microsoft's compiler.
#include "binding/host_win32.cc"
#endif

#if defined(_WIN32)
#include "binding/signals_win32.cc"
#include "os/clock_win32.cc"
#include "os/condition_win32.cc"
#include "os/module_win32.cc"
#include "os/mutex_win32.cc"
#include "os/names_win32.cc"
#include "os/presence_win32.cc"
#include "os/random_win32.cc"
#include "os/replacement_win32.cc"
#include "os/sections_win32.cc"
#include "os/segment_win32.cc"
#include "os/thread_win32.cc"
#include "os/waiter_win32.cc"
#include "os/win32.cc"
#else
#include "binding/signals_posix.cc"
#include "os/condition_posix.cc"
#include "os/mapping_posix.cc"
#include "os/module_posix.cc"
#include "os/presence_files.cc"
#include "os/random_posix.cc"
#include "os/thread_posix.cc"
#endif

#if defined(__APPLE__) || defined(SHMKIT_AS_ON_MACOS)
#include "os/mutex_flock.cc"
#include "os/presence_flock.cc"
#include "os/segment_shm_open.cc"
#elif defined(__linux__)
#include "os/map_limit_linux.cc"
#include "os/memory_limit_linux.cc"
#include "os/mutex_pthread.cc"
#include "os/presence_ofd.cc"
#include "os/segment_linux.cc"
#include "os/unfinished_linux.cc"
#endif

#if defined(__APPLE__)
#include "os/clock_darwin.cc"
#include "os/waiter_darwin.cc"
#elif defined(__linux__)
#include "os/clock_linux.cc"
#include "os/waiter_futex.cc"
#endif
