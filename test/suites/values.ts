// Values of every kind that the codec keeps, for each structure to carry.

const cycle: { self?: unknown } = {};
cycle.self = cycle;

export const values: unknown[] = [
  undefined,
  null,
  true,
  false,
  0,
  -0,
  1.5,
  NaN,
  -Infinity,
  2 ** 53,
  10n ** 30n,
  -(10n ** 30n),
  '',
  'latin é',
  'żółw 🐢',
  'half \ud83d of a pair',
  'x'.repeat(100_000),
  { a: { b: [1, { c: 'd', e: undefined, f: -0 }] } },
  // eslint-disable-next-line no-sparse-arrays -- a hole is a value, too
  [1, , 3],
  new Map<unknown, unknown>([[{ k: 1 }, new Set([1, 'two'])]]),
  new Date(5),
  /x/gi,
  new Uint8Array([1, 2, 255]),
  new Uint16Array([1, 2, 3]),
  new Float64Array([1.5, NaN]),
  new BigInt64Array([-1n]),
  new DataView(new ArrayBuffer(3)),
  new ArrayBuffer(5),
  new RangeError('no'),
  cycle,
];
