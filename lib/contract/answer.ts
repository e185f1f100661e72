/**
 * What a verb gives: at once, or by a promise. Who awaits it, and who loops by `for await`, need not know
 * which engine serves the object.
 */
export type Answer<T> = T | Promise<T>;

/** What there is one after the other, at once or by promises. */
export type Answers<T> = Iterable<T> | AsyncIterable<T>;
