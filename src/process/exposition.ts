/** The text exposition format of a registry, written in parts: other work goes on between two of them. */
import { setImmediate } from 'node:timers/promises';
import { Registry, type Metric } from 'prom-client';

/** A few milliseconds of work. */
const SERIES_IN_A_PART = 2_000;

export async function textOf(registry: Registry, seriesInAPart = SERIES_IN_A_PART): Promise<string> {
  const texts: string[] = [];
  for (const { name } of registry.getMetricsAsArray()) {
    const metric = registry.getSingleMetric(name);
    if (metric) texts.push(await textOfMetric(metric, seriesInAPart));
    await setImmediate();
  }
  return `${texts.join('\n\n')}\n`;
}

async function textOfMetric(metric: Metric, seriesInAPart: number): Promise<string> {
  const whole = await metric.get();
  const parts = [await textOfPart(whole, 0, seriesInAPart)];
  for (let start = seriesInAPart; start < whole.values.length; start += seriesInAPart) {
    await setImmediate();
    parts.push(withoutHeader(await textOfPart(whole, start, start + seriesInAPart)));
  }
  return parts.join('\n');
}

/** The library writes each part, as if the metric had these series alone. */
function textOfPart(whole: Awaited<ReturnType<Metric['get']>>, start: number, end: number): Promise<string> {
  const part = { ...whole, values: whole.values.slice(start, end) };
  const registry = new Registry();
  registry.registerMetric({ ...part, get: () => Promise.resolve(part) } as unknown as Metric);
  return registry.getSingleMetricAsString(whole.name);
}

/** Without the lines HELP and TYPE. */
function withoutHeader(text: string): string {
  return text.split('\n').slice(2).join('\n');
}
