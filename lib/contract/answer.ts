/**
 * The result of a method: the value itself, or a promise of it. It depends on the engine, the implementation of
 * these interfaces. Code that uses `await` works the same with every engine, and so does code that loops with
 * `for await` (see {@link Answers}).
 */
export type Answer<T> = T | Promise<T>;

/**
 * A value that changes by itself, such as the number of entries. An engine that answers at once has it as a
 * property: `dict.size`. An engine that answers with promises has it as a method: `await dict.size()`.
 */
export type Reading<T> = T | (() => Promise<T>);

/** A sequence of results, sync or async. */
export type Answers<T> = Iterable<T> | AsyncIterable<T>;
