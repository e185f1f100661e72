const mechanisms = ['?', 'pthread', 'flock', 'Windows'];
const libraries = ['', 'glibc', 'musl', 'macOS', 'Windows'];
const machines = ['?', 'x64', 'arm64', 'x86', 'arm'];

/**
 * Returns a text that describes an ABI word, for messages: `a 40-byte pthread mutex, glibc, x64`. The ABI word
 * is a number in an object's header that identifies the kind of mutex (native/os/abi.h).
 */
export function describeAbi(word: number): string {
  const byte = (index: number) => (word >>> (8 * index)) & 0xff;
  const of = (names: string[], index: number) => names[byte(index)] ?? `#${byte(index)}`;
  return [`a ${byte(3)}-byte ${of(mechanisms, 0)} mutex`, of(libraries, 1), of(machines, 2)]
    .filter(Boolean)
    .join(', ');
}
