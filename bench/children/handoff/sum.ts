// Sums up an array, or the prices of records; also the program of jest-worker's workers.

export interface Row {
  readonly id: number;
  readonly name: string;
  readonly active: boolean;
  readonly tags: readonly string[];
  readonly price: number;
}

export type Numbers = ArrayLike<number> | readonly Row[];

export function sum(values: Numbers): number {
  return Array.isArray(values) && typeof values[0] === 'object'
    ? sumOfPrices(values as readonly Row[])
    : sumOfNumbers(values as ArrayLike<number>);
}

function sumOfNumbers(numbers: ArrayLike<number>): number {
  let all = 0;
  // eslint-disable-next-line @typescript-eslint/prefer-for-of -- an iterator costs more than the sum
  for (let i = 0; i < numbers.length; i++) all += numbers[i]!;
  return all;
}

function sumOfPrices(rows: readonly Row[]): number {
  let all = 0;
  for (const { price } of rows) all += price;
  return all;
}
