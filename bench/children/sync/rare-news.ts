// rare-news <count> <milliseconds>: waits that many times for an event that another process sets so many
// milliseconds later. Prints the processor time that a wait takes in this process.
import { NamedEvent } from 'shmkit';
import { ended, forkChild, nameOf, report } from '../support';

async function main([count = '', milliseconds = '']: string[]): Promise<void> {
  const news = NamedEvent.create({ name: nameOf('news') });
  const next = NamedEvent.create({ name: nameOf('next') });
  try {
    const other = forkChild('sync/rare-news-other', count, milliseconds);
    await news.wait();
    news.clear();
    const used = process.cpuUsage();
    for (let i = 0; i < Number(count); i++) {
      next.set();
      await news.wait();
      news.clear();
    }
    const { user, system } = process.cpuUsage(used);
    await ended(other);
    report(((user + system) * 1000) / Number(count));
  } finally {
    for (const event of [news, next]) event.unlink();
  }
}

void main(process.argv.slice(2));
