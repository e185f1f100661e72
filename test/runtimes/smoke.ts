// Uses every public class once, and checks what kills, exits and garbage collection do, in the runtime that
// runs this. `npm run test:runtimes` runs it in all runtimes. An argument limits it to the cases whose
// names match.
import { run } from './cases';
import './classes';
import './data';
import './endings';
import './memory';

void run(process.argv[2] ?? '');
