import { SharedObject } from 'shmkit';
import { expect } from 'vitest';

/** Whether somebody holds a SharedObject of that name. Fails for any reason but that nobody does. */
export function isThere(name: string): boolean {
  try {
    SharedObject.attach(name).close();
    return true;
  } catch (error) {
    expect(error).toHaveProperty('code', 'ENOENT');
    return false;
  }
}
