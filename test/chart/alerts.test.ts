// promtool evaluates the alerts: each fires when it must, not earlier, and not in a healthy state.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { chart } from './helm.ts';
import { ensurePrometheus } from './prometheus.ts';

const file = join(chart, 'files/alerts.yaml');

interface Alert {
  readonly alert: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Samples by series, one per minute, in promtool's notation (`0+1x30`). */
type Samples = Readonly<Record<string, string>>;

interface Case {
  readonly bad: Samples;
  /** Does not fire by then, but later. */
  readonly quiet: string;
  readonly fires: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** The expected text of annotations with templates. */
  readonly says?: Readonly<Record<string, string>>;
  /** Similar series without a reason to alert. */
  readonly well: Samples;
}

const POD = 'namespace="ops",pod="a"';
const OTHER_POD = 'namespace="ops",pod="b"';
const OPS = { namespace: 'ops' };
const WEB = 'namespace="shop",release="web",pod="a"';
/** The same release, exported by the next pod of the operator. */
const WEB_B = 'namespace="shop",release="web",pod="b"';
const SHOP = { namespace: 'shop', release: 'web' };

const CASES: Readonly<Record<string, Case>> = {
  AppReleaseNoLeader: {
    bad: { [`apprelease_leader{${POD}}`]: '1+0x5 0+0x90', [`apprelease_leader{${OTHER_POD}}`]: '0+0x90' },
    quiet: '10m',
    fires: '11m',
    well: { [`apprelease_leader{${POD}}`]: '1+0x5 0+0x90', [`apprelease_leader{${OTHER_POD}}`]: '0+0x9 1+0x90' },
  },
  AppReleaseReconcileErrors: {
    bad: { [`apprelease_reconcile_errors_total{${POD}}`]: '0+60x90' },
    quiet: '15m',
    fires: '16m',
    labels: { ...OPS, pod: 'a' },
    says: { description: 'a fails 1 times a second; its log names the releases.' },
    well: { [`apprelease_reconcile_errors_total{${POD}}`]: '0+60x9 540+0x90' },
  },
  AppReleaseCacheErrors: {
    bad: { [`apprelease_cache_errors_total{${POD}}`]: '0+1x90' },
    quiet: '10m',
    fires: '11m',
    labels: { ...OPS, pod: 'a' },
    says: { description: 'Lists or watches of a fail. Its caches may be outdated.' },
    well: { [`apprelease_cache_errors_total{${POD}}`]: '0+1x3 3+0x90' },
  },
  AppReleaseClockSkew: {
    bad: { [`apprelease_clock_skew_seconds{${POD}}`]: '-90+0x90' },
    quiet: '9m',
    fires: '10m',
    labels: { ...OPS, pod: 'a' },
    says: {
      description:
        'The clock of a is 1m 30s off. Releases count by the time of the API server; certificates and tokens do not.',
    },
    well: { [`apprelease_clock_skew_seconds{${POD}}`]: '5+0x90' },
  },
  AppReleaseQueueSlow: {
    bad: {
      [`workqueue_queue_duration_seconds_bucket{name="apprelease",${POD},le="10"}`]: '0+0x90',
      [`workqueue_queue_duration_seconds_bucket{name="apprelease",${POD},le="30"}`]: '0+10x90',
      [`workqueue_queue_duration_seconds_bucket{name="apprelease",${POD},le="+Inf"}`]: '0+10x90',
    },
    quiet: '15m',
    fires: '16m',
    labels: OPS,
    says: {
      description: 'One in a hundred waits for 29.8s or longer. Raise --workers, or check the API server.',
    },
    well: {
      [`workqueue_queue_duration_seconds_bucket{name="apprelease",${POD},le="10"}`]: '0+10x90',
      [`workqueue_queue_duration_seconds_bucket{name="apprelease",${POD},le="30"}`]: '0+10x90',
      [`workqueue_queue_duration_seconds_bucket{name="apprelease",${POD},le="+Inf"}`]: '0+10x90',
    },
  },
  AppReleaseRevisionFailed: {
    bad: { [`apprelease_failures_total{${WEB}}`]: '0+0x30 1+0x90' },
    quiet: '30m',
    fires: '31m',
    labels: SHOP,
    says: { summary: 'A version of the release shop/web failed in a pool.' },
    well: { [`apprelease_failures_total{${WEB}}`]: '7+0x90' },
  },
  AppReleaseExposureStands: {
    bad: {
      [`apprelease_exposure_percent{${WEB}}`]: '10x90',
      [`apprelease_info{${WEB},state="Exposing"}`]: '1x20 stale',
      [`apprelease_info{${WEB},state="Paused"}`]: '_x21 1x70',
    },
    quiet: '30m',
    fires: '40m',
    labels: SHOP,
    says: { summary: 'A new version of the release shop/web keeps 10% of the traffic of a stage.' },
    well: {
      [`apprelease_exposure_percent{${WEB}}`]: '10x90',
      [`apprelease_info{${WEB},state="Exposing"}`]: '1x90',
    },
  },
  AppReleaseStuck: {
    bad: {
      [`apprelease_info{${WEB},stage="canary",state="Progressing"}`]: '1x20 stale',
      [`apprelease_info{${WEB},stage="canary",state="NoCapacity"}`]: '_x21 1x70',
    },
    quiet: '29m',
    fires: '31m',
    labels: { ...SHOP, stage: 'canary' },
    says: {
      summary: 'The release shop/web has not gone on for 30 minutes.',
      description:
        'It waits for no decision of a person. The reason of its condition Ready is NoCapacity; the message says what is in the way.',
      runbook_url: 'docs/troubleshooting.md#nocapacity',
    },
    well: {
      [`apprelease_info{${WEB},stage="canary",state="Progressing"}`]: '1x20 stale',
      [`apprelease_info{${WEB},stage="production",state="Progressing"}`]: '_x21 1x20 stale',
      [`apprelease_info{${WEB},stage="production",state="Soaking"}`]: '_x42 1x60',
      [`apprelease_info{release="other",${POD},stage="production",state="WaitingForApproval"}`]: '1x90',
      [`apprelease_info{release="new",${POD},stage="",state=""}`]: '1x90',
    },
  },
  // The operator restarts after 5 hours as another pod, 10 minutes later; then the release waits before another stage.
  AppReleaseWaitsForPerson: {
    bad: {
      [`apprelease_info{${WEB},stage="canary",state="WaitingForApproval"}`]: '1x300 stale',
      [`apprelease_info{${WEB_B},stage="canary",state="WaitingForApproval"}`]: '_x310 1x290 stale',
      [`apprelease_info{${WEB_B},stage="europe",state="Paused"}`]: '_x601 1x1000',
    },
    quiet: '1439m',
    fires: '1440m',
    labels: SHOP,
    says: { summary: 'The release shop/web has waited for a person for a day.' },
    well: {
      [`apprelease_info{${WEB},stage="canary",state="WaitingForApproval"}`]: '1x1000 stale',
      [`apprelease_info{${WEB},stage="canary",state="Released"}`]: '_x1001 1x40 stale',
      [`apprelease_info{${WEB},stage="europe",state="WaitingForApproval"}`]: '_x1042 1x1000',
    },
  },
  AppReleaseHeld: {
    bad: {
      [`apprelease_info{${WEB},wanted="2",state="RolledBack"}`]: '1x300 stale',
      [`apprelease_info{${WEB_B},wanted="2",state="RolledBack"}`]: '_x310 1x1200',
    },
    quiet: '1439m',
    fires: '1440m',
    labels: SHOP,
    says: { summary: 'A rollback has held the release shop/web for a day.' },
    well: {
      [`apprelease_info{${WEB},wanted="2",state="RolledBack"}`]: '1x1000 stale',
      [`apprelease_info{${WEB},wanted="3",state="Progressing"}`]: '_x1001 1x1000',
    },
  },
  AppReleaseNoStandby: {
    bad: { [`apprelease_pools_without_standby{${WEB}}`]: '_x30 2x90' },
    quiet: '44m',
    fires: '46m',
    labels: SHOP,
    says: { summary: '2 pools of the release shop/web lack pods that stand by for a rollback.' },
    well: { [`apprelease_pools_without_standby{${WEB}}`]: '_x30 2x10 stale' },
  },
  AppReleaseTakenBack: {
    bad: { [`apprelease_rollbacks_total{${WEB},cause="automatic"}`]: '0+0x30 1+0x90' },
    quiet: '30m',
    fires: '31m',
    labels: SHOP,
    says: { summary: 'The operator has rolled back the release shop/web.' },
    well: {
      [`apprelease_rollbacks_total{${WEB},cause="automatic"}`]: '7+0x90',
      [`apprelease_rollbacks_total{${WEB},cause="manual"}`]: '0+1x90',
    },
  },
  AppReleaseRollbackRejected: {
    bad: { [`apprelease_rollbacks_rejected_total{${WEB}}`]: '0+0x30 1+0x90' },
    quiet: '30m',
    fires: '31m',
    labels: SHOP,
    says: { summary: 'A rollback of the release shop/web was rejected.' },
    well: { [`apprelease_rollbacks_rejected_total{${WEB}}`]: '7+0x90' },
  },
  AppReleaseRegistryErrors: {
    bad: { [`apprelease_registry_resolutions_total{outcome="Unavailable",${POD}}`]: '0+1x90' },
    quiet: '15m',
    fires: '16m',
    labels: { ...OPS, outcome: 'Unavailable' },
    says: { summary: 'Requests to registries fail: Unavailable.' },
    well: {
      [`apprelease_registry_resolutions_total{outcome="resolved",${POD}}`]: '0+1x90',
      [`apprelease_registry_resolutions_total{outcome="NotFound",${POD}}`]: '0+1x90',
    },
  },
  AppReleaseTagMoved: {
    bad: { [`apprelease_moved_tags_total{${WEB}}`]: '0+0x30 1+0x90' },
    quiet: '30m',
    fires: '31m',
    labels: SHOP,
    says: { summary: 'A tag of the release shop/web names another image than the recorded one.' },
    well: { [`apprelease_moved_tags_total{${WEB}}`]: '7+0x90' },
  },
  AppReleaseVMsNotReady: {
    bad: { [`apprelease_vmpool_nodes{pool="prod-a",state="not_ready",${POD}}`]: '0+0x30 2+0x90' },
    quiet: '45m',
    fires: '46m',
    labels: { ...OPS, pool: 'prod-a' },
    says: { summary: '2 VMs of the pool prod-a are not ready.' },
    well: {
      [`apprelease_vmpool_nodes{pool="prod-a",state="not_ready",${POD}}`]: '0+0x30 2+0x5 0+0x90',
      [`apprelease_vmpool_nodes{pool="prod-a",state="draining",${POD}}`]: '2+0x90',
    },
  },
  AppReleaseVMsTrespassed: {
    bad: { [`apprelease_vmpool_trespassing_pods{pool="prod-a",${POD}}`]: '0+0x30 3+0x90' },
    quiet: '35m',
    fires: '36m',
    labels: { ...OPS, pool: 'prod-a' },
    says: { summary: '3 pods on the VMs of the pool prod-a belong to no tenant.' },
    well: { [`apprelease_vmpool_trespassing_pods{pool="prod-a",${POD}}`]: '0+0x30 3+0x3 0+0x90' },
  },
  AppReleaseVMsSkewed: {
    bad: { [`apprelease_vmpool_skewed{pool="prod-a",${POD}}`]: '0+0x30 1+0x1500' },
    quiet: '1470m',
    fires: '1471m',
    labels: { ...OPS, pool: 'prod-a' },
    says: { summary: 'The VMs of the pool prod-a have run different systems for a day.' },
    well: { [`apprelease_vmpool_skewed{pool="prod-a",${POD}}`]: '1+0x600 0+0x1500' },
  },
};

const { groups } = parse(readFileSync(file, 'utf8')) as { groups: { rules: Alert[] }[] };
const alerts = groups.flatMap(({ rules }) => rules);
let promtool: string;
let dir: string;

beforeAll(async () => {
  ({ promtool } = await ensurePrometheus());
  dir = await mkdtemp(join(tmpdir(), 'alerts-'));
});

afterAll(() => rm(dir, { recursive: true }));

/** Returns the output. @throws Error with the error output */
async function run(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(promtool, args).catch((error: unknown) => {
    const { stdout: out, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${out}\n${stderr}`, { cause: error });
  });
  return stdout;
}

async function testRules(samples: Samples, tests: readonly object[]): Promise<void> {
  const unit = {
    rule_files: [file],
    evaluation_interval: '1m',
    tests: [
      {
        interval: '1m',
        input_series: Object.entries(samples).map(([series, values]) => ({ series, values })),
        alert_rule_test: tests,
      },
    ],
  };
  const path = join(dir, 'test.yaml');
  await writeFile(path, JSON.stringify(unit));
  await run('test', 'rules', path);
}

test('Prometheus can load the rules', async () => {
  expect(await run('check', 'rules', file)).toContain(`SUCCESS: ${alerts.length} rules found`);
});

test('every alert has its cases', () => {
  expect(Object.keys(CASES).toSorted()).toEqual(alerts.map(({ alert }) => alert).toSorted());
});

test.each(alerts)('$alert fires in time', async ({ alert, labels, annotations }) => {
  const { bad, quiet, fires, says, labels: own } = CASES[alert] as Case;
  const firing = { exp_labels: { ...labels, ...own }, exp_annotations: { ...annotations, ...says } };
  await testRules(bad, [
    { eval_time: quiet, alertname: alert, exp_alerts: [] },
    { eval_time: fires, alertname: alert, exp_alerts: [firing] },
  ]);
});

test.each(alerts)('$alert does not fire in a healthy state', async ({ alert }) => {
  const { well, fires } = CASES[alert] as Case;
  // Checked every minute, to catch an alert that fires only for a while.
  const minutes = Array.from({ length: 89 }, (_, minute) => `${minute + 1}m`);
  await testRules(
    well,
    [...minutes, fires].map((eval_time) => ({ eval_time, alertname: alert, exp_alerts: [] })),
  );
});
