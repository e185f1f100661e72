// The exit listeners of a program that owns managers, on systems where the managers end in such a listener, too.
import { Manager } from 'shmkit';
import { expect, it } from 'vitest';
import { start } from '../../support/children';
import { expectCode } from '../../support/errors';
import { uniqueName } from '../../support/names';

it('all listeners of a program are called before its managers end, whenever they were added', async () => {
  const names = [uniqueName('app'), uniqueName('app')];
  const child = start('manager/exit-order', [names]);
  const said = (await child.hearAll()) as string[][];
  expect(await child.exit).toMatchObject({ code: 0 });
  expect(said.map(([what]) => what)).toEqual(['two copies', 'prepended', 'on', 'once', 'later']);
  for (const [, ...outcomes] of said) expect(outcomes).toEqual(['fine', 'fine']);
  for (const name of names) expectCode(() => Manager.attach(name), 'ENOENT', name);
});
