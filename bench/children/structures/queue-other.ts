// The other process of queue.ts.
import { SharedQueue } from 'shmkit';
import { nameOf } from '../support';

async function main([way = '', total, uncounted, atOnce]: string[]): Promise<void> {
  const there = SharedQueue.attach(nameOf('there'));
  const back = SharedQueue.attach(nameOf('back'));
  back.putSync('ready');
  if (way === 'one-way-many') {
    let [got, wasWarm] = [0, false];
    while (got < Number(total)) {
      got += there.getManySync(Number(atOnce)).length;
      if (!wasWarm && got >= Number(uncounted)) {
        wasWarm = true;
        back.putSync('warm');
      }
    }
    back.putSync('done');
    process.disconnect();
    return;
  }
  for (let i = 1; i <= Number(total); i++) {
    if (way === 'trip-async') {
      await back.put(await there.get());
    } else if (way === 'one-way-async') {
      await there.get();
      if (i === Number(uncounted)) await back.put('warm');
    } else {
      const message = there.getSync();
      if (way === 'trip') back.putSync(message);
      else if (i === Number(uncounted)) back.putSync('warm');
    }
  }
  if (way.startsWith('one-way')) back.putSync('done');
  process.disconnect();
}

void main(process.argv.slice(2));
