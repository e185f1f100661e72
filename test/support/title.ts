// Sets the title of a test process to the name of its test, for `ps` and the watchdog.
import { beforeEach } from 'vitest';

beforeEach(({ task }) => {
  process.title = `test: ${task.name}`;
});
