declare module 'node-gyp-build' {
  /** Loads the addon of the package in `directory`: one just built, else a prebuilt one. */
  function load(directory: string): unknown;
  namespace load {
    /** Where that is. */
    function path(directory: string): string;
  }
  export = load;
}
