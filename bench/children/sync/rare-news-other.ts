// rare-news-other <count> <milliseconds>: the other process of rare-news.ts.
import { NamedEvent } from 'shmkit';
import { nameOf, sleep } from '../support';

function main([count, milliseconds]: string[]): void {
  const news = NamedEvent.attach(nameOf('news'));
  const next = NamedEvent.attach(nameOf('next'));
  news.set();
  for (let i = 0; i < Number(count); i++) {
    next.waitSync();
    next.clear();
    sleep(Number(milliseconds));
    news.set();
  }
}

main(process.argv.slice(2));
