import { Gauge, Histogram, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { textOf } from './exposition.ts';

function registryOf(series: number): Registry {
  const registry = new Registry();
  const gauge = new Gauge({ name: 'many', help: 'Several\nlines.', labelNames: ['of'], registers: [registry] });
  for (let number = 0; number < series; number += 1) gauge.set({ of: `"${number}"\\` }, number);
  const histogram = new Histogram({ name: 'some_seconds', help: 'Some.', buckets: [1, 2], registers: [registry] });
  histogram.observe(1.5);
  new Gauge({ name: 'none', help: 'No series.', labelNames: ['of'], registers: [registry] });
  return registry;
}

test.each([0, 1, 2, 3, 5, 6])('%s series in parts of two read as in one', async (series) => {
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
