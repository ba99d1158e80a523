import { Counter, Gauge, Histogram, Registry, Summary } from 'prom-client';
import { expect, test } from 'vitest';
import { textOf } from './exposition.ts';

function registryOf(series: number): Registry {
  const registry = new Registry();
  const registers = [registry];
  const gauge = new Gauge({ name: 'many', help: 'Several\nlines, \\ and ".', labelNames: ['of', 'to'], registers });
  for (let number = 0; number < series; number += 1) gauge.set({ of: `"${number}"\\\n`, to: number }, number / 3);
  const histogram = new Histogram({
    name: 'some_seconds',
    help: 'Some.',
    labelNames: ['a'],
    buckets: [1, 2],
    registers,
  });
  histogram.observe({ a: 'b' }, 1.5);
  new Summary({ name: 'sum_seconds', help: 'Some.', registers }).observe(2);
  new Gauge({ name: 'none', help: 'No series.', labelNames: ['of'], registers });
  new Counter({ name: 'one_total', help: 'One.', registers }).inc(1e21);
  const odd = new Gauge({ name: 'odd', help: 'No numbers.', labelNames: ['is'], registers });
  for (const is of [Infinity, -Infinity]) odd.set({ is: String(is) }, is);
  return registry;
}

test.each([0, 1, 2, 3, 5, 6])('%s series in parts of two read as in the text of the library', async (series) => {
  const registry = registryOf(series);
  expect(await textOf(registry, 2)).toBe(await registry.metrics());
});

test('other work goes on between two parts of a metric', async () => {
  let turns = 0;
  let goesOn = true;
  function turn(): void {
    turns += 1;
    if (goesOn) setImmediate(turn);
  }
  turn();
  await textOf(registryOf(100), 10);
  goesOn = false;
  expect(turns).toBeGreaterThan(10);
});
