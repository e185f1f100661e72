// What Debian's libstdc++.a needs from glibc and musl does not have, for the parts of it that are
// linked in scripts/test-runtimes.mjs.

// There may be several threads.
char __libc_single_threaded = 0;

// Returns "not found". Then the unwinder uses dl_iterate_phdr.
int _dl_find_object(void *pc, void *result) {
  (void)pc;
  (void)result;
  return -1;
}

// Used by std::random_device, which nothing calls here.
unsigned arc4random(void) { __builtin_trap(); }
