import { expect, test } from 'vitest';
import { createServerClock } from './server-clock.ts';

const HOUR = 3_600_000;
const SERVER = Date.parse('2026-01-01T12:00:00.400Z');

/** A process whose clock differs from that of the API server by `skew`, and an answer to it after `ms`. */
function processWith(skew: number) {
  let at = 0;
  let stepped = 0;
  const clock = createServerClock({ wall: () => SERVER + at + skew + stepped, monotonic: () => 5000 + at });
  return {
    clock,
    pass: (ms: number) => (at += ms),
    step: (ms: number) => (stepped += ms),
    serverTime: () => SERVER + at,
    answer: (roundTrip: number, date = new Date(SERVER + at + roundTrip / 2).toUTCString()) => {
      at += roundTrip;
      clock.onAnswer({ date, sentAt: 5000 + at - roundTrip, receivedAt: 5000 + at });
    },
  };
}

test('is the clock of the process before the first answer', () => {
  const { clock } = processWith(2 * HOUR);
  expect(clock.now()).toBe(SERVER + 2 * HOUR);
  expect(clock.skewMs()).toBe(0);
});

test.each([2 * HOUR, -2 * HOUR, 6000, -6000])(
  'a process that is off by %d ms has the time of the API server',
  (skew) => {
    const { clock, answer, pass, serverTime } = processWith(skew);
    answer(20);
    expect(Math.abs(clock.now() - serverTime())).toBeLessThanOrEqual(1020);
    expect(Math.abs(clock.skewMs() - skew)).toBeLessThanOrEqual(1020);
    for (let times = 0; times < 50; times += 1) {
      pass(137);
      answer(20);
    }
    expect(Math.abs(clock.now() - serverTime())).toBeLessThanOrEqual(50);
  },
);

test.each([0, 300, -300])(
  'a process that is off by %d ms, less than a header can show, is never off by more',
  (skew) => {
    const { clock, answer, pass, serverTime } = processWith(skew);
    for (let times = 0; times < 20; times += 1) {
      answer(40);
      pass(333);
      expect(Math.abs(clock.now() - serverTime())).toBeLessThanOrEqual(Math.abs(skew));
    }
  },
);

test('an answer that took long corrects nothing that it does not prove', () => {
  const { clock, answer, serverTime } = processWith(0);
  answer(9000);
  expect(clock.now()).toBe(serverTime());
});

test('a process whose own clock is set keeps the time of the API server, and tells the skew', () => {
  const { clock, answer, step, serverTime } = processWith(0);
  answer(20);
  step(2 * HOUR);
  expect(clock.now()).toBe(serverTime());
  expect(clock.skewMs()).toBe(2 * HOUR);
});

test('a process that was suspended has the time again with the next answer', () => {
  const { clock, answer } = processWith(0);
  answer(20);
  answer(20, new Date(SERVER + HOUR).toUTCString());
  expect(clock.now()).toBeGreaterThan(SERVER + HOUR - 1000);
});

test('a date that is none changes nothing', () => {
  const { clock, answer, serverTime } = processWith(0);
  answer(20, 'soon');
  expect(clock.now()).toBe(serverTime());
});

test('a skew that changes a little is told as before', () => {
  const { clock, answer, step } = processWith(0);
  answer(20);
  step(60_000);
  expect(clock.skewMs()).toBe(60_000);
  step(900);
  expect(clock.skewMs()).toBe(60_000);
  step(900);
  expect(clock.skewMs()).toBe(61_800);
});
