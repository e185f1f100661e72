// The addon is compiled as one source, which includes all others.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

describe.runIf(existsSync('native/addon.cc'))('the addon, where its sources are', () => {
  it('is made of all of them, each once', () => {
    const there = ['binding', 'core', 'os'].flatMap((floor) =>
      readdirSync(`native/${floor}`)
        .filter((file) => file.endsWith('.cc'))
        .map((file) => `${floor}/${file}`),
    );
    const included = readFileSync('native/addon.cc', 'utf8').matchAll(/^#include "(.+)"$/gm);
    expect([...included].map(([, file]) => file).sort()).toEqual(there.sort());
  });
});
