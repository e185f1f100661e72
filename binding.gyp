{
  'variables': {
    # 1 builds an addon that behaves as under runtimes which refuse external memory (Electron).
    'shmkit_no_external_buffers%': 0,
  },
  'targets': [
    {
      'target_name': 'shmkit',
      'include_dirs': ['<!(node -p "require(\'node-addon-api\').include_dir")'],
      'defines': [
        'NAPI_VERSION=8',
        'NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS',
        # A worker that is being terminated takes no exception: there, to throw one ends no process.
        'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
      ],
      'sources': [
        'native/binding/buffers.cc',
        'native/binding/environment.cc',
        'native/binding/exports.cc',
        'native/binding/lock.cc',
        'native/binding/mailbox.cc',
        'native/binding/module.cc',
        'native/binding/object.cc',
        'native/binding/seats.cc',
        'native/binding/segment.cc',
        'native/binding/watches.cc',
        'native/core/agent_thread.cc',
        'native/core/graveyard.cc',
        'native/core/mapping.cc',
        'native/core/shared_object.cc',
        'native/core/shared_object_growth.cc',
        'native/core/shared_object_lock.cc',
        'native/core/watch_thread.cc',
      ],
      'cflags_cc': ['-std=gnu++17', '-flto=auto', '-ffunction-sections', '-fdata-sections', '-fvisibility=hidden', '-Wall', '-Wextra'],
      'cflags_cc!': ['-std=gnu++20'],
      'conditions': [
        ['OS=="linux"', {
          'sources': [
            'native/os/mapping_posix.cc',
            'native/os/module_posix.cc',
            'native/os/thread_posix.cc',
            'native/os/segment_linux.cc',
            'native/os/mutex_pthread.cc',
            'native/os/presence_ofd.cc',
            'native/os/waiter_futex.cc',
          ],
          'ldflags': ['-flto=auto', '-O3', '-Wl,--gc-sections'],
          'libraries': ['-ldl', '-lpthread'],
        }],
        ['OS=="mac"', {
          'sources': [
            'native/os/mapping_posix.cc',
            'native/os/module_posix.cc',
            'native/os/thread_posix.cc',
            'native/os/segment_shm_open.cc',
            'native/os/mutex_flock.cc',
            'native/os/presence_flock.cc',
            'native/os/waiter_darwin.cc',
          ],
          'xcode_settings': {
            'CLANG_CXX_LANGUAGE_STANDARD': 'gnu++17',
            'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES',
            'MACOSX_DEPLOYMENT_TARGET': '11.0',
          },
        }],
        ['OS=="win"', {
          'sources': [
            'native/os/win32.cc',
            'native/os/module_win32.cc',
            'native/os/names_win32.cc',
            'native/os/replacement_win32.cc',
            'native/os/sections_win32.cc',
            'native/os/segment_win32.cc',
            'native/os/thread_win32.cc',
            'native/os/mutex_win32.cc',
            'native/os/presence_win32.cc',
            'native/os/waiter_win32.cc',
          ],
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
  ],
}
