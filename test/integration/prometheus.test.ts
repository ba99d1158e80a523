// A real Prometheus scrapes the operator and evaluates the chart's alerts.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { chart } from '../chart/helm.ts';
import { ensurePrometheus } from '../chart/prometheus.ts';
import { freePort, start, waitFor, type Running } from '../cluster/processes.ts';
import type { OperatorProcess } from './operator-process.ts';
import { installOperator, QUICK_LEASE, startOperatorProcess } from './operator-process.ts';
import { ownCluster } from './own-cluster.ts';

const cluster = ownCluster();
let dir: string;
let operator: OperatorProcess;
let prometheus: Running;
let url: string;

beforeAll(async () => {
  dir = await mkdtemp(join(cluster.dir, 'prometheus-'));
  operator = await startOperatorProcess(cluster, { kubeconfig: await installOperator(cluster), flags: QUICK_LEASE });
  await operator.says('leads');
  const [, metricsPort] = operator.log().find(({ msg }) => msg === 'started')?.['ports'] as [number, number];
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [await impatientAlerts()],
    scrape_configs: [{ job_name: 'operator', static_configs: [{ targets: [`127.0.0.1:${metricsPort}`] }] }],
  };
  await writeFile(join(dir, 'prometheus.json'), JSON.stringify(config));
  const { prometheus: file } = await ensurePrometheus();
  const address = `127.0.0.1:${await freePort()}`;
  url = `http://${address}/api/v1`;
  prometheus = await start({
    name: 'Prometheus',
    file,
    args: [
      `--config.file=${join(dir, 'prometheus.json')}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=${address}`,
    ],
    logFile: join(dir, 'prometheus.log'),
    detached: false,
  });
}, 600_000);

afterAll(async () => {
  await prometheus.stop();
  await operator.stop();
  await rm(dir, { recursive: true });
});

/** The chart's rules, without the `for` durations; returns the file. */
async function impatientAlerts(): Promise<string> {
  const { groups } = parse(await readFile(join(chart, 'files/alerts.yaml'), 'utf8')) as {
    groups: { name: string; rules: { for?: string }[] }[];
  };
  const rules = groups.map((group) => ({ ...group, rules: group.rules.map((rule) => ({ ...rule, for: '1s' })) }));
  const file = join(dir, 'alerts.json');
  await writeFile(file, JSON.stringify({ groups: rules }));
  return file;
}

async function ask<T>(path: string): Promise<T> {
  const { data } = (await (await fetch(`${url}/${path}`)).json()) as { data: T };
  return data;
}

/** The queries of the dashboard, with what Grafana puts in for its variables. */
async function dashboardQueries(): Promise<string[]> {
  const { panels } = JSON.parse(await readFile(join(chart, 'files/dashboard.json'), 'utf8')) as {
    panels: { targets?: { expr: string }[] }[];
  };
  return panels.flatMap(({ targets = [] }) =>
    targets.map(({ expr }) => expr.replaceAll('$__rate_interval', '1m').replaceAll(/\$\w+/g, '.*')),
  );
}

async function leaders(): Promise<number> {
  return (await ask<{ result: unknown[] }>(`query?query=${encodeURIComponent('apprelease_leader == 1')}`)).result
    .length;
}

async function firing(): Promise<(string | undefined)[]> {
  const { alerts } = await ask<{ alerts: { state: string; labels: Record<string, string> }[] }>('alerts');
  return alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels['alertname']);
}

test('Prometheus evaluates every query of the dashboard', async () => {
  const wait = { timeoutSeconds: 60, needs: [prometheus] };
  await waitFor('the leader, as Prometheus sees it', async () => (await leaders()) === 1, wait);
  const queries = await dashboardQueries();
  expect(queries.length).toBeGreaterThan(30);
  for (const query of queries) {
    const response = await fetch(`${url}/query?query=${encodeURIComponent(query)}`);
    expect(await response.json(), query).toMatchObject({ status: 'success' });
  }
});

test('an alert fires when no operator leads', async () => {
  const wait = { timeoutSeconds: 60, needs: [prometheus] };
  await waitFor('the leader, as Prometheus sees it', async () => (await leaders()) === 1, wait);
  // There was no leader before the first scrape.
  await waitFor('the end of the alert', async () => !(await firing()).includes('AppReleaseNoLeader'), wait);
  await operator.stop();
  await waitFor('the alert', async () => (await firing()).includes('AppReleaseNoLeader'), wait);
});
