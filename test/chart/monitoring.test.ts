// Alerts and dashboard use existing metrics.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parser } from '@prometheus-io/lezer-promql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { CONDITIONS } from '../../src/api/reasons.ts';
import { createMetrics } from '../../src/process/metrics.ts';
import type { ResolutionEvent } from '../../src/registry/types.ts';
import type { Helm, Values } from './helm.ts';
import { chart, createHelm, EVERYTHING, find, NAME, NAMESPACE } from './helm.ts';

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

interface Group {
  readonly name: string;
  readonly rules: readonly Alert[];
}

interface Dashboard {
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly gridPos: object;
    readonly targets?: readonly { readonly expr: string }[];
  }[];
}

/** Alerts about the process alone: the log says more. */
const OF_THE_PROCESS = new Set(['AppReleaseReconcileErrors', 'AppReleaseCacheErrors', 'AppReleaseQueueSlow']);

const page = readFileSync(join(chart, '../../docs/troubleshooting.md'), 'utf8');
/** As GitHub makes them of headings. */
const anchors = [...page.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => title.toLowerCase().replaceAll(' ', '-'));

let helm: Helm;
let exported: Set<string>;
const { groups } = parse(readFileSync(join(chart, 'files/alerts.yaml'), 'utf8')) as { groups: Group[] };
const alerts = groups.flatMap(({ rules }) => rules);
const dashboard = JSON.parse(readFileSync(join(chart, 'files/dashboard.json'), 'utf8')) as Dashboard;
const queries = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => [title, expr] as const),
);

beforeAll(async () => {
  helm = await createHelm();
  exported = namesOf(await createMetrics('1').text());
});

afterAll(() => helm.close());

/** The names of possible samples. */
function namesOf(text: string): Set<string> {
  return new Set(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = '', type]) =>
      type === 'histogram' ? ['_bucket', '_sum', '_count'].map((suffix) => name + suffix) : [name],
    ),
  );
}

/** The metrics in an expression. @throws Error if it is not valid PromQL */
function metricsOf(expression: string): string[] {
  const text = expression.replaceAll('$__rate_interval', '5m');
  const names: string[] = [];
  parser.parse(text).iterate({
    enter: ({ type, name, from, to }) => {
      if (type.isError) throw new Error(`no PromQL at ${from}: ${text}`);
      if (name === 'Identifier') names.push(text.slice(from, to));
    },
  });
  return names;
}

test('an error in an expression is detected', () => {
  expect(() => metricsOf('sum(rate(apprelease_leader[5m])')).toThrow('no PromQL');
  expect(metricsOf('rate(nothing_total[5m]) > 0 or other == 1')).toEqual(['nothing_total', 'other']);
});

describe('alerts', () => {
  test.each(alerts.map((alert) => [alert.alert, alert] as const))('%s', (_name, { expr, labels, annotations }) => {
    const metrics = metricsOf(expr);
    expect(metrics).not.toEqual([]);
    for (const metric of metrics) expect(exported).toContain(metric);
    expect(labels['severity']).toMatch(/^(critical|warning|info)$/);
    const { summary, description, runbook_url: runbook = '', ...others } = annotations;
    expect([summary, description]).not.toContain(undefined);
    expect(others).toEqual({});
    if (runbook.includes('{{'))
      expect(runbook).toMatch(/^docs\/troubleshooting\.md#\{\{.* label "state" \| toLower \}\}/);
    else if (runbook !== '') expect(anchors).toContain(runbook.replace('docs/troubleshooting.md#', ''));
    expect(runbook !== '').toBe(!OF_THE_PROCESS.has(_name));
  });

  test('the page of each reason of Ready exists', () => {
    for (const reason of CONDITIONS.AppRelease.Ready.False) expect(anchors).toContain(reason.toLowerCase());
  });

  test('have a runbook below the URL of the values', async () => {
    const runbookUrl = 'https://git.example.com/apprelease/blob/main/';
    const rule = find(
      await helm.render({ metrics: { prometheusRule: { enabled: true, runbookUrl } } }),
      'PrometheusRule',
    );
    const [own] = (rule.spec as { groups: [Group] }).groups;
    expect(own.rules.map((one) => one.annotations['runbook_url'])).toEqual(
      alerts.map(({ annotations }) => {
        const page = annotations['runbook_url'];
        return page === undefined ? undefined : `${runbookUrl}${page}`;
      }),
    );
  });

  test('count every reason of Ready as going on, as waiting for a person, or as stuck', () => {
    const [stuck = '', person = '', held = ''] = ['AppReleaseStuck', 'AppReleaseWaitsForPerson', 'AppReleaseHeld'].map(
      (name) => /state!?[=~]+"([^"]*)"/.exec(alerts.find(({ alert }) => alert === name)?.expr ?? '')?.[1],
    );
    const goesOn = ['', 'Released', 'Soaking', 'Exposing'];
    expect(stuck.split('|').toSorted()).toEqual([...goesOn, ...person.split('|'), held].toSorted());
    const reasons: string[] = [...CONDITIONS.AppRelease.Ready.True, ...CONDITIONS.AppRelease.Ready.False];
    for (const reason of stuck.split('|').slice(1)) expect(reasons).toContain(reason);
  });

  test('do not count user errors as errors of registries', () => {
    const fine: ResolutionEvent['outcome'][] = ['resolved', 'NotFound', 'InvalidReference'];
    expect(alerts.find(({ alert }) => alert === 'AppReleaseRegistryErrors')?.expr).toContain(
      `outcome!~"${fine.join('|')}"`,
    );
  });

  test('are in the PrometheusRule as in the file', () => {
    return helm.render(EVERYTHING).then((objects) => {
      const rule = find(objects, 'PrometheusRule');
      expect(rule.spec).toEqual({ groups });
      expect(rule.metadata.labels).toMatchObject({ release: 'prometheus' });
    });
  });

  test('can be disabled, labelled and extended', async () => {
    const other = { name: 'mine', rules: [{ alert: 'Mine', expr: 'up == 0' }] };
    const prometheusRule = {
      enabled: true,
      namespace: 'monitoring',
      disabledAlerts: ['AppReleaseTagMoved'],
      alertLabels: { team: 'platform', severity: 'page' },
      extraGroups: [other],
    };
    const rule = find(await helm.render({ metrics: { prometheusRule } }), 'PrometheusRule');
    const [own, extra] = (rule.spec as { groups: [Group, Group] }).groups;
    expect(rule.metadata.namespace).toBe('monitoring');
    expect(own.rules.map(({ alert }) => alert)).toEqual(
      alerts.map(({ alert }) => alert).filter((alert) => alert !== 'AppReleaseTagMoved'),
    );
    for (const { labels } of own.rules) expect(labels).toEqual({ team: 'platform', severity: 'page' });
    expect(extra).toEqual(other);
  });
});

describe('the dashboard', () => {
  test.each(queries)('%s: %s', (_title, expr) => {
    const metrics = metricsOf(expr);
    expect(metrics).not.toEqual([]);
    for (const metric of metrics) expect(exported).toContain(metric);
  });

  test('has panels with unique ids and positions', () => {
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(new Set(panels.map(({ gridPos }) => JSON.stringify(gridPos))).size).toBe(panels.length);
  });

  test('is in a ConfigMap that Grafana’s sidecar finds', async () => {
    const { data, metadata } = find(await helm.render(EVERYTHING), 'ConfigMap', `${NAME}-dashboard`);
    expect(JSON.parse(data?.['apprelease.json'] ?? '')).toEqual(dashboard);
    expect(metadata.labels).toMatchObject({ grafana_dashboard: '1' });
    expect(metadata.annotations).toMatchObject({ grafana_folder: 'Platform' });
  });
});

describe.each([
  ['ServiceMonitor', 'serviceMonitor', 'endpoints'],
  ['PodMonitor', 'podMonitor', 'podMetricsEndpoints'],
] as const)('the %s', (kind, key, endpoints) => {
  test('selects the objects of the chart', async () => {
    const objects = await helm.render({ metrics: { [key]: { enabled: true } } });
    const { spec, metadata } = find(objects, kind);
    const selector = {
      'app.kubernetes.io/name': NAME,
      'app.kubernetes.io/instance': NAME,
      'app.kubernetes.io/component': 'operator',
    };
    expect(metadata.namespace).toBe(NAMESPACE);
    expect(spec).toEqual({
      namespaceSelector: { matchNames: [NAMESPACE] },
      selector: { matchLabels: selector },
      [endpoints]: [{ port: 'metrics', path: '/metrics', honorLabels: true }],
    });
    expect(find(objects, 'Service').metadata.labels).toMatchObject(selector);
    expect(find(objects, 'Service').spec).toMatchObject({ selector });
  });

  test('passes the scrape settings to Prometheus', async () => {
    const relabeling = { action: 'labeldrop', regex: 'pod' };
    const values: Values = {
      enabled: true,
      namespace: 'monitoring',
      labels: { release: 'prometheus' },
      annotations: { 'example.com/a': 'b' },
      interval: '30s',
      scrapeTimeout: '10s',
      relabelings: [relabeling],
      metricRelabelings: [relabeling],
    };
    const { spec, metadata } = find(await helm.render({ metrics: { [key]: values } }), kind);
    expect(metadata).toMatchObject({ namespace: 'monitoring', labels: { release: 'prometheus' } });
    expect(spec?.[endpoints]).toEqual([
      {
        port: 'metrics',
        path: '/metrics',
        honorLabels: true,
        interval: '30s',
        scrapeTimeout: '10s',
        relabelings: [relabeling],
        metricRelabelings: [relabeling],
      },
    ]);
  });
});
