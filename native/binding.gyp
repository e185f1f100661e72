# In this folder, because package managers run node-gyp at installation for one in the package's root.
{
  'variables': {
    # 1 builds an addon that behaves as under runtimes which refuse external memory (Electron).
    'shmkit_no_external_buffers%': 0,
  },
  'targets': [
    {
      'target_name': 'shmkit',
      'include_dirs': ['<!(node node-addon-api.cjs)'],
      'defines': [
        'NAPI_VERSION=8',
        'NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS',
        # A worker that is being terminated takes no exception: there, to throw one ends no process.
        'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
      ],
      'sources': ['addon.cc'],
      'cflags_cc': ['-std=gnu++17', '-ffunction-sections', '-fdata-sections', '-fvisibility=hidden', '-Wall', '-Wextra'],
      'cflags_cc!': ['-std=gnu++20'],
      'conditions': [
        ['OS=="linux"', {
          'ldflags': ['-Wl,--gc-sections'],
          'libraries': ['-ldl', '-lpthread'],
        }],
        ['OS=="mac"', {
          'xcode_settings': {
            'CLANG_CXX_LANGUAGE_STANDARD': 'gnu++17',
            'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES',
            'MACOSX_DEPLOYMENT_TARGET': '11.0',
          },
        }],
        ['OS=="win"', {
          'defines': ['NOMINMAX', 'WIN32_LEAN_AND_MEAN'],
          'msvs_settings': {
            'VCCLCompilerTool': {'AdditionalOptions': ['/std:c++17']},
          },
        }],
        ['shmkit_no_external_buffers==1', {
          'defines': ['NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED'],
        }],
      ],
    },
    {
      # To where node-gyp-build looks for it.
      'target_name': 'place',
      'type': 'none',
      'dependencies': ['shmkit'],
      'copies': [{
        'files': ['<(PRODUCT_DIR)/shmkit.node'],
        'destination': '<(module_root_dir)/../build/Release',
      }],
    },
  ],
}
