/**
 * Which folder of lib/ may import which; docs/architecture.md says why. Imports of types count. An import
 * that is not listed here is not allowed.
 */
const floors = {
  'lib/common': [],
  'lib/contract': ['lib/common'],
  'lib/loading': ['lib/common'],
  'lib/values': ['lib/common'],
  'lib/shm/core': ['lib/common', 'lib/contract', 'lib/loading'],
  'lib/shm/sync': ['lib/common', 'lib/contract', 'lib/shm/core'],
  'lib/shm/numbers': ['lib/common', 'lib/contract', 'lib/shm/core'],
  'lib/shm/structure': ['lib/common', 'lib/contract', 'lib/values', 'lib/shm/core'],
  'lib/shm/dict': ['lib/common', 'lib/contract', 'lib/values', 'lib/shm/core', 'lib/shm/structure'],
  'lib/shm/list': ['lib/common', 'lib/contract', 'lib/values', 'lib/shm/core', 'lib/shm/structure'],
  'lib/shm/queue': [
    'lib/common',
    'lib/contract',
    'lib/values',
    'lib/shm/core',
    'lib/shm/structure',
  ],
  'lib/shm/objects': [
    'lib/common',
    'lib/contract',
    'lib/values',
    'lib/shm/core',
    'lib/shm/structure',
  ],
  'lib/shm/shareable-list': ['lib/common', 'lib/contract', 'lib/values', 'lib/shm/core'],
  'lib/shm/manager': ['lib/common', 'lib/contract', 'lib/shm/(?!manager)[^/]+'],
  'lib/shm': ['lib/common', 'lib/contract', 'lib/values', 'lib/shm/(?!parts)[^/]+'],
  'lib/shm/parts': ['lib/common', 'lib/values', 'lib/shm', 'lib/shm/[^/]+'],
  'lib/redis/wire': ['lib/common'],
  'lib/redis/scripts': ['lib/redis/wire'],
  'lib/redis/lease': ['lib/common', 'lib/redis/wire', 'lib/redis/scripts'],
  'lib/redis/objects': [
    'lib/common',
    'lib/contract',
    'lib/values',
    'lib/redis/wire',
    'lib/redis/scripts',
    'lib/redis/lease',
  ],
  'lib/redis': ['lib/common', 'lib/contract', 'lib/values', 'lib/redis/[^/]+'],
  // This proves that what users can import suffices.
  'lib/cli': ['lib(?=/index)'],
  'lib/adapters': ['lib(?=/index)'],
  lib: ['lib/contract', 'lib/shm/parts'],
};

const isRoot = (folder) => !Object.keys(floors).some((other) => other.startsWith(`${folder}/`));

/**
 * Matches the files in a folder. In a folder that has subfolders, it matches only the files beside them.
 */
const filesOf = (folder) => (isRoot(folder) ? `^${folder}/` : `^${folder}/[^/]+$`);

export default {
  forbidden: [
    ...Object.entries(floors).map(([folder, below]) => ({
      name: `what-${folder.replaceAll('/', '-')}-may-import`,
      severity: 'error',
      comment: `${folder} imports from itself, and from: ${below.join(', ') || 'nothing else'}`,
      from: { path: filesOf(folder) },
      to: { path: '^lib/', pathNot: [filesOf(folder), ...below.map((each) => `^${each}/[^/]+$`)] },
    })),
    {
      name: 'every-folder-has-its-floor',
      severity: 'error',
      comment: 'A new folder of lib/ is to be named in .dependency-cruiser.mjs.',
      from: { path: '^lib/', pathNot: Object.keys(floors).map(filesOf) },
      to: {},
    },
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'Of two that need each other, the lower one owns an interface of what it needs.',
      from: { path: '^lib/' },
      to: { circular: true },
    },
    {
      name: 'nothing-from-outside',
      severity: 'error',
      comment: 'The library imports nothing of its tests, benchmarks and scripts.',
      from: { path: '^lib/' },
      to: { path: '^(test|bench|examples|scripts|dist|out)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
  },
};
