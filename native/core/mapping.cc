#include "mapping.h"

#include "unmapper.h"

namespace shmkit {

bool Mapping::closed() {
  const std::lock_guard<std::mutex> guard(mutex_);
  return closed_;
}

void Mapping::NoteBuffer(Audience audience) {
  const std::lock_guard<std::mutex> guard(mutex_);
  if (audience == Audience::kUsers) {
    shown_ = true;
  } else {
    ++unhidden_;
  }
  ++buffers_;
}

void Mapping::NoteHidden() {
  const std::lock_guard<std::mutex> guard(mutex_);
  --unhidden_;
}

void Mapping::DropBuffer() { Drop(&Mapping::buffers_); }

void Mapping::NoteUnlinked() {
  const std::lock_guard<std::mutex> guard(mutex_);
  unlinked_ = true;
}

void Mapping::Close() {
  const std::lock_guard<std::mutex> guard(mutex_);
  CloseLocked();
}

void Mapping::Abandon() { Drop(&Mapping::owners_); }

void Mapping::Drop(int Mapping::* count) {
  bool unused;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    --(this->*count);
    unused = owners_ == 0 && buffers_ == 0;
    if (unused) CloseLocked();
    if (buffers_ == 0 && quarantined_) Settle(quarantined_);
  }
  if (unused) delete this;
}

// Memory needs no quarantine if no pointer to it can exist.
void Mapping::CloseLocked() {
  if (closed_) return;
  closed_ = true;
  if (!shown_ && unhidden_ == 0) {
    if (unlinked_) {
      UnmapSoon(segment_);
    } else {
      os::Unmap(segment_);
    }
    return;
  }
  quarantined_ = PutInQuarantine(segment_);
  if (buffers_ == 0) Settle(quarantined_);
}

}  // namespace shmkit
