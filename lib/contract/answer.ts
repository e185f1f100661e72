/**
 * The result of a method: the value itself, or a promise of it. It depends on the engine, the implementation of
 * these interfaces. Code that uses `await` works the same with every engine, and so does code that loops with
 * `for await` (see {@link Answers}).
 */
export type Answer<T> = T | Promise<T>;

/** A sequence of results, sync or async. */
export type Answers<T> = Iterable<T> | AsyncIterable<T>;
