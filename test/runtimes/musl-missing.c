// What Debian's libstdc++.a wants of glibc and musl does not have, for what is linked of it in
// scripts/test-runtimes.mjs.

// There may be threads.
char __libc_single_threaded = 0;

// "Not found": the unwinder then asks dl_iterate_phdr.
int _dl_find_object(void *pc, void *result) {
  (void)pc;
  (void)result;
  return -1;
}

// std::random_device's, which nobody uses here.
unsigned arc4random(void) { __builtin_trap(); }
