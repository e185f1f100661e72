import { native, thread } from './binding';
import { now } from './clock';

/** Something to do at a certain moment. */
export interface Alarm {
  /** The time by the clock of {@link now}. */
  readonly moment: number;
  /** Called when the moment has come. The alarm is removed then. */
  ring(): void;
}

/** A binary heap ordered by moments: no alarm is earlier than its parent, which is at `(index - 1) >> 1`. */
const heap: Alarm[] = [];
/** All alarms that are set, with their index in the heap. */
const places = new Map<Alarm, number>();
/**
 * False while the heap is being changed. If it is still false afterwards, the engine interrupted the change (for
 * example by a `vm` timeout). The heap is then rebuilt before its next use.
 */
let isHeap = true;

const { alarm: addons, ringers, callbacks } = thread;

if (!addons.isInitialized) {
  native.alarmInitialize(callbacks.onMoment);
  addons.isInitialized = true;
}

/**
 * Makes an alarm ring when its moment has come, and keeps the event loop alive until then.
 *
 * @returns false if the alarm was not set, because the system cannot start the thread that waits for the moment.
 */
export function setAlarm(alarm: Alarm): boolean {
  if (!ringsBy(alarm.moment)) return false;
  if (!isHeap) rebuild();
  isHeap = false;
  places.set(alarm, heap.length);
  heap.push(alarm);
  rise(heap.length - 1, alarm);
  isHeap = true;
  if (!ringers.has(onMoment)) {
    ringers.add(onMoment);
    if (ringers.size === 1) native.alarmExpect(true);
  }
  return true;
}

/** Removes an alarm. Has no effect if the alarm is over or was never set. */
export function clearAlarm(alarm: Alarm): void {
  if (!isHeap) rebuild();
  const at = places.get(alarm);
  if (at === undefined) return;
  isHeap = false;
  places.delete(alarm);
  const last = heap.pop();
  if (last !== undefined && last !== alarm) settle(at, last);
  isHeap = true;
  // The alarm of the addon stays set, even if no alarm in the heap needs it any more. An unnecessary ring costs
  // less than a call of the addon for every wait that ends in time.
  if (heap.length > 0) return;
  ringers.delete(onMoment);
  if (ringers.size === 0) native.alarmExpect(false);
}

function rebuild(): void {
  heap.length = 0;
  const alarms = [...places.keys()].sort((a, b) => a.moment - b.moment);
  for (const alarm of alarms) places.set(alarm, heap.push(alarm) - 1);
  isHeap = true;
}

function onMoment(): void {
  if (!isHeap) rebuild();
  const time = now();
  for (let first = heap[0]; first !== undefined && first.moment <= time; first = heap[0]) {
    clearAlarm(first);
    first.ring();
  }
  const first = heap[0];
  if (first !== undefined) ringsBy(first.moment);
}

function ringsBy(moment: number): boolean {
  if (moment >= addons.next) return true;
  if (!native.alarmSet(moment - now())) return false;
  addons.next = moment;
  return true;
}

function place(at: number, alarm: Alarm): void {
  heap[at] = alarm;
  places.set(alarm, at);
}

function rise(from: number, alarm: Alarm): void {
  let at = from;
  while (at > 0) {
    const above = (at - 1) >> 1;
    const other = heap[above];
    if (other === undefined || other.moment <= alarm.moment) break;
    place(at, other);
    at = above;
  }
  place(at, alarm);
}

/** Puts an alarm at an index of the heap, and moves it from there, down or up, to the place where it belongs. */
function settle(from: number, alarm: Alarm): void {
  let at = from;
  for (;;) {
    let below = 2 * at + 1;
    const [left, right] = [heap[below], heap[below + 1]];
    if (right !== undefined && left !== undefined && right.moment < left.moment) below++;
    const other = heap[below];
    if (other === undefined || other.moment >= alarm.moment) break;
    place(at, other);
    at = below;
  }
  rise(at, alarm);
}
