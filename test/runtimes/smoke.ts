// Every public class once, and what kills, ends and garbage do, in whatever runtime runs this.
// `npm run test:runtimes` runs it in all of them. An argument limits it to cases with such a name.
import { run } from './cases';
import './classes';
import './data';
import './endings';
import './memory';

void run(process.argv[2] ?? '');
