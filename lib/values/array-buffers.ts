type ResizableMaker = new (bytes: number, options: { maxByteLength: number }) => ArrayBuffer;

export const isLength = (number: number): boolean => Number.isSafeInteger(number) && number >= 0;

/** @param most - the maximum size in bytes that it can grow to, or -1. */
export function makeBuffer(bytes: number, most: number): ArrayBuffer | undefined {
  if (most === -1) return new ArrayBuffer(bytes);
  if (!isLength(most) || most < bytes) return undefined;
  try {
    return new (ArrayBuffer as unknown as ResizableMaker)(bytes, { maxByteLength: most });
  } catch {
    // Larger than an ArrayBuffer can be.
    return undefined;
  }
}
