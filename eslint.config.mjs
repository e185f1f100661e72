import js from '@eslint/js';
import tsdoc from 'eslint-plugin-tsdoc';
import tseslint from 'typescript-eslint';

/** Clocks and timers of the language and the runtime. */
const clocks = [
  'performance',
  'setTimeout',
  'clearTimeout',
  'setInterval',
  'clearInterval',
  'setImmediate',
  'clearImmediate',
];

const asksClock = [
  {
    selector: 'NewExpression[callee.name=Date][arguments.length=0]',
    message: 'Asks a clock.',
  },
  { selector: 'CallExpression[callee.name=Date]', message: 'Asks a clock.' },
];

export default tseslint.config(
  { ignores: ['build', 'native/build', 'dist', 'out', 'prebuilds'] },
  js.configs.recommended,
  {
    files: ['**/*.ts', '**/*.mts'],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked],
    plugins: { tsdoc },
    languageOptions: { parserOptions: { project: ['tsconfig.json', 'tsconfig.check.json'] } },
    rules: {
      'tsdoc/syntax': 'error',
      eqeqeq: 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-require-imports': ['error', { allowAsImport: true }],
      // An intersection with {} keeps literal completion open to other strings; errors.ts says so.
      '@typescript-eslint/no-redundant-type-constituents': 'off',
      '@typescript-eslint/no-empty-object-type': ['error', { allowObjectTypes: 'always' }],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
      ],
    },
  },
  {
    files: ['lib/**'],
    rules: {
      // Time is read only in lib/shm/core/clock.ts: fake timers replace these, and an administrator can set
      // the time.
      'no-restricted-globals': ['error', ...clocks],
      'no-restricted-properties': [
        'error',
        ...clocks.map((property) => ({ object: 'globalThis', property })),
        ...clocks.map((property) => ({ object: 'global', property })),
        { object: 'Date', property: 'now' },
        { object: 'process', property: 'hrtime' },
        { object: 'Atomics', property: 'wait', message: 'waits are those of a Word' },
        { object: 'Atomics', property: 'waitAsync', message: 'waits are those of a Word' },
        { object: 'AbortSignal', property: 'timeout' },
      ],
      'no-restricted-syntax': ['error', ...asksClock],
      'no-restricted-imports': [
        'error',
        {
          patterns: ['timers', 'timers/promises', 'perf_hooks', 'node:timers*', 'node:perf_hooks'],
        },
      ],
    },
  },
  {
    // The clocks of the engine over a server, which has no addon.
    files: ['lib/redis/wire/clock.ts'],
    rules: {
      'no-restricted-globals': 'off',
      'no-restricted-properties': 'off',
      'no-restricted-imports': 'off',
    },
  },
  {
    files: ['lib/**'],
    ignores: ['lib/values/buffer-text.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        ...asksClock,
        {
          selector:
            'CallExpression[callee.property.name=/^(toString|toLocaleString)$/][arguments.length>1],' +
            'CallExpression[callee.property.name=/Slice$|^(latin1|utf8|ucs2|hex|ascii|base64)Write$/][arguments.length>0],' +
            'CallExpression[callee.object.name=/[bB]uffer$|[bB]ytes$/][callee.property.name=/^(write|copy)$/][arguments.length>1],' +
            'CallExpression[callee.property.name=/^(read|write)(U?[iI]nt|BigU?[iI]nt|Float|Double)[0-9]*(LE|BE)?$/][arguments.length>0]',
          message:
            'Some runtimes take an offset of 2 ** 31 or more wrongly: buffer-text.ts, DataView or set() of a subarray do not.',
        },
        {
          // The allowed classes are the library's own, and their objects never meet another copy of the
          // library.
          selector:
            "BinaryExpression[operator='instanceof'][right.name!=/^(CorruptError|GoneError|MismatchError|UnreadableError|SharedMemoryError|SharedMemory|Batch|Copy|Later|NamedLock|Error|Request|Segment|Elements)$/]",
          message: "An object of another realm is not an instance of this one's classes.",
        },
      ],
    },
  },
  {
    files: ['test/**', 'bench/**', 'examples/**'],
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' },
  },
  {
    files: ['**/*.cjs', '**/*.mjs'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        require: 'readonly',
        module: 'writable',
        __dirname: 'readonly',
      },
    },
  },
);
