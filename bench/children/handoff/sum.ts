// Sums up an array; also the program of jest-worker's workers.

export function sum(numbers: ArrayLike<number>): number {
  let all = 0;
  // eslint-disable-next-line @typescript-eslint/prefer-for-of -- an iterator costs more than the sum
  for (let i = 0; i < numbers.length; i++) all += numbers[i]!;
  return all;
}
