// The child of messages.ts.
const [way] = process.argv.slice(2);
let count = 0;

process.on('message', (message) => {
  count++;
  if (message === 'how many?' || way === 'trip') process.send!(way === 'trip' ? message : count);
});
