/**
 * The text exposition format of a registry (https://prometheus.io/docs/instrumenting/exposition_formats/), written in parts:
 * other work goes on between two of them. With the series of 5,000 releases, `registry.metrics()` takes several times as long.
 */
import { setImmediate } from 'node:timers/promises';
import type { Metric, Registry } from 'prom-client';

/** A few milliseconds of work. */
const SERIES_IN_A_PART = 2_000;

type Family = Awaited<ReturnType<Metric['get']>>;
/** The samples of a histogram have names of their own. */
type Sample = Family['values'][number] & { metricName?: string };

export async function textOf(registry: Registry, seriesInAPart = SERIES_IN_A_PART): Promise<string> {
  const parts: string[] = [];
  for (const { name } of registry.getMetricsAsArray()) {
    const family = await registry.getSingleMetric(name)?.get();
    if (!family) continue;
    const { help, type, values } = family;
    parts.push(`${parts.length > 0 ? '\n' : ''}# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${type}\n`);
    for (let start = 0; start < values.length; start += seriesInAPart) {
      parts.push(linesOf(family, start, start + seriesInAPart));
      await setImmediate();
    }
  }
  return parts.join('');
}

function linesOf({ name, values }: Family, start: number, end: number): string {
  let text = '';
  for (const { metricName = name, labels, value } of values.slice(start, end) as Sample[]) {
    text += `${metricName}${labelsText(labels)} ${numberText(value)}\n`;
  }
  return text;
}

function labelsText(labels: Sample['labels']): string {
  let text = '';
  for (const label in labels) text += `${text === '' ? '{' : ','}${label}="${valueText(labels[label])}"`;
  return text === '' ? '' : `${text}}`;
}

function valueText(value: string | number | undefined): string {
  return typeof value === 'string' ? escaped(value).replaceAll('"', String.raw`\"`) : String(value);
}

function escaped(text: string): string {
  return text.replaceAll('\\', String.raw`\\`).replaceAll('\n', String.raw`\n`);
}

function numberText(value: number): string {
  return Number.isFinite(value) ? String(value) : String(value).replace('Infinity', 'Inf').replace(/^Inf/, '+Inf');
}
