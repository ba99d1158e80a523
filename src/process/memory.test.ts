import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createMemoryTrimmer } from './memory.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

test('trims when it has been quiet for a while, once and again, and not while there is work', () => {
  const trim = vi.fn();
  const trimmer = createMemoryTrimmer({ trim });
  vi.advanceTimersByTime(120_000);
  expect(trim).not.toHaveBeenCalled();
  for (let second = 0; second < 20; second += 1) {
    trimmer.worked();
    vi.advanceTimersByTime(4_000);
  }
  expect(trim).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1_000);
  expect(trim).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(600_000);
  expect(trim).toHaveBeenCalledTimes(2);
});

test('trims not more often than twice a minute', () => {
  const trim = vi.fn();
  const trimmer = createMemoryTrimmer({ trim });
  trimmer.worked();
  vi.advanceTimersByTime(5_000);
  trimmer.worked();
  vi.advanceTimersByTime(29_999);
  expect(trim).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(1);
  expect(trim).toHaveBeenCalledTimes(2);
});

test('gives garbage back', () => {
  const trimmer = createMemoryTrimmer();
  const full = litter();
  trimmer.worked();
  vi.advanceTimersByTime(5_000);
  expect(full - process.memoryUsage().heapUsed).toBeGreaterThan(5_000_000);
});

/** Returns what of the heap is in use while it holds much. */
function litter(): number {
  const objects = Array.from({ length: 500_000 }, (_, index) => ({ index }));
  return objects.length > 0 ? process.memoryUsage().heapUsed : 0;
}
