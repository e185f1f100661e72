import { native, thread } from './binding';
import { now } from './clock';

/** Something to do at a moment. */
export interface Alarm {
  /** By the clock of {@link now}. */
  readonly moment: number;
  /** The moment has come. The alarm is over. */
  ring(): void;
}

/** A heap by moments: none is before the one at half its index. */
const heap: Alarm[] = [];
/** All that are set. */
const places = new Map<Alarm, number>();
/** Whether the heap is as it should be: a change of it may have been interrupted. */
let isHeap = true;

const { alarm: addons, ringers, callbacks } = thread;

if (!addons.isInitialized) {
  native.alarmInitialize(callbacks.onMoment);
  addons.isInitialized = true;
}

/**
 * Has an alarm ring when its moment has come, and keeps the event loop alive until then.
 *
 * @returns false where the system gives no thread to wait.
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

/** An alarm that is over, or was never set, stays so. */
export function clearAlarm(alarm: Alarm): void {
  if (!isHeap) rebuild();
  const at = places.get(alarm);
  if (at === undefined) return;
  isHeap = false;
  places.delete(alarm);
  const last = heap.pop();
  if (last !== undefined && last !== alarm) settle(at, last);
  isHeap = true;
  // That the addon rings in vain costs less than to tell it of every wait that ends in time.
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

/** Puts an alarm where another was, or above it, or below. */
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
