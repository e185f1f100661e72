import { thread } from '../binding';

/** The words by which the hot native calls know which seat they are about, and with what. */
export const { control } = thread;

/** The same as float64: where, what to add, and what was there before; what time it is. */
export const operands = new Float64Array(control.buffer);
export const operand = { at: 1, delta: 2, before: 3, time: 4 } as const;
