#include "watches.h"

namespace shmkit {

void Watches::Initialize(napi_value on_news) { napi_create_reference(env_, on_news, 1, &on_news_); }

uint32_t Watches::Add(SharedObject* object, os::WaitWord* word) {
  auto index = static_cast<uint32_t>(slots_.size());
  if (vacant_.empty()) {
    slots_.emplace_back();
  } else {
    index = vacant_.back();
    vacant_.pop_back();
  }
  // A number that was posted for a closed watch may arrive when a new watch has that number. That
  // does no harm: the receiver looks at the word, and waits again if it has not changed.
  slots_[index].thread = std::make_shared<WatchThread>(
      object, word, [mailbox = mailbox_, index] { mailbox->Post(index); });
  slots_[index].object = object;
  slots_[index].word = word;
  return index;
}

void Watches::Close(uint32_t index) {
  Slot* const slot = At(index);
  if (!slot) return;
  Cancel(index);
  slot->thread->Quit();
  *slot = Slot{};
  vacant_.push_back(index);
}

void Watches::CloseAllOf(const SharedObject* object) {
  for (uint32_t index = 0; index < slots_.size(); ++index) {
    if (slots_[index].object == object) Close(index);
  }
}

bool Watches::Watch(uint32_t index, uint32_t seen, const os::Deadline& until, bool awaited) {
  Slot* const slot = At(index);
  if (!slot) return false;
  if (!mailbox_->is_open()) {
    napi_value on_news = nullptr;
    napi_get_reference_value(env_, on_news_, &on_news);
    if (!mailbox_->Open(env_, on_news)) return false;
  }
  // If nothing has changed since the last wait, nothing will change soon.
  const bool is_again = slot->was_watched && slot->seen == seen;
  slot->seen = seen;
  slot->until = until;
  slot->was_watched = true;
  slot->began = is_again ? 0 : os::SteadyNanoseconds();
  if (!slot->spinning) {
    slot->spinning = !slot->threaded && !is_again && spinner_.Begin(*this, index);
    if (!slot->spinning && !Arm(*slot)) return false;
  }
  if (awaited && !slot->expecting) mailbox_->Expect(env_);
  slot->expecting = slot->expecting || awaited;
  return true;
}

bool Watches::Arm(Slot& slot) {
  slot.threaded = slot.thread->Watch(slot.seen, slot.until);
  return slot.threaded;
}

Spinner::Client::Seen Watches::Look(uint32_t index) {
  const Slot& slot = slots_[index];
  return slot.word->value.load() != slot.seen ? Seen::kNews : Seen::kNothing;
}

void Watches::Tell(uint32_t index) {
  slots_[index].spinning = false;
  CallWithNumber(env_, on_news_, index);
  // If it was interrupted before it began (Settle), the tasks still wait.
  Slot* const still = At(index);
  if (still && still->expecting && !still->spinning && !still->threaded) (void)Arm(*still);
}

void Watches::GiveUp(uint32_t index) {
  slots_[index].spinning = false;
  // If there is no thread, the next Watch says so.
  if (!Arm(slots_[index])) CallWithNumber(env_, on_news_, index);
}

SpinHistory& Watches::HistoryOf(uint32_t index) { return slots_[index].history; }

void Watches::Settle(uint32_t index) {
  Slot* const slot = At(index);
  if (!slot) return;
  if (slot->threaded) slot->history.NoteWoken(slot->began);
  End(*slot);
}

void Watches::End(Slot& slot) {
  if (slot.expecting) mailbox_->Unexpect(env_);
  slot.expecting = false;
  slot.threaded = false;
}

void Watches::Cancel(uint32_t index) {
  Slot* const slot = At(index);
  if (!slot) return;
  End(*slot);
  slot->thread->Cancel();
  if (slot->spinning) spinner_.End(*this, index);
  slot->spinning = false;
}

void Watches::Leave() {
  for (const Slot& slot : slots_) {
    if (slot.thread) slot.thread->Quit();
  }
  slots_.clear();
}

}  // namespace shmkit
