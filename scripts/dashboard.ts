// The Grafana dashboard: rows of panels. The queries use metrics of src/process/metrics.ts and prom-client.

interface Query {
  readonly expr: string;
  readonly legend: string;
}

interface Panel {
  readonly title: string;
  readonly help: string;
  readonly unit: string;
  readonly queries: readonly Query[];
  readonly type: 'stat' | 'timeseries' | 'table';
}

interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

const WIDTH = 24;
const HEIGHT = 7;
const SELECTED = 'namespace=~"$namespace",job=~"$job"';
/** Of metrics with the labels of a release, whose namespace is not that of the operator. */
const RELEASES = 'job=~"$job",namespace=~"$release_namespace",release=~"$release"';
const DATASOURCE = { type: 'prometheus', uid: '$datasource' };

const ROWS: readonly Row[] = [
  {
    title: 'Releases',
    panels: [
      stat('Leaders', 'Exactly one operator must lead.', `sum(apprelease_leader{${SELECTED}})`),
      stat('Switches, 24 h', 'Switches of pool Services.', releaseIncrease('apprelease_switches_total')),
      stat('Promotions, 24 h', 'Pools in which a version became good.', releaseIncrease('apprelease_promotions_total')),
      stat('Failures, 24 h', 'Pools in which a version failed.', releaseIncrease('apprelease_failures_total')),
      stat('Rollbacks, 24 h', 'Started rollbacks.', releaseIncrease('apprelease_rollbacks_total')),
      stat(
        'Moved tags, 24 h',
        'Pinned tags that now name another digest.',
        releaseIncrease('apprelease_moved_tags_total'),
      ),
    ],
  },
  {
    title: 'By release',
    panels: [
      table(
        'Versions and states',
        'What every pool serves (empty while pools differ), what the spec wants, the last stage entered, and the reason of Ready.',
        `max by (namespace, release, version, wanted, stage, state) (apprelease_info{${RELEASES}})`,
      ),
      table(
        'Pools',
        'The version that each pool serves, and its missing pods. Empty with --metrics-per-pool=false.',
        `max by (namespace, release, pool, version) (apprelease_pool_info{${RELEASES}}) * on (namespace, release, pool) group_left () clamp_min(max by (namespace, release, pool) (apprelease_pool_wanted_pods{${RELEASES}}) - max by (namespace, release, pool) (apprelease_pool_ready_pods{${RELEASES}}), 0)`,
      ),
      graph('Rollback readiness', 'Pools by how fast a rollback would be.', 'short', [
        { expr: `sum by (readiness) (apprelease_pool_rollback_readiness{${RELEASES}})`, legend: '{{readiness}}' },
      ]),
      graph('Time of promotions', 'Releases by what their promotion spends its time on.', 'short', [
        {
          expr: `sum by (phase) (rate(apprelease_promotion_seconds_total{${RELEASES}}[$__rate_interval]))`,
          legend: '{{phase}}',
        },
      ]),
    ],
  },
  {
    title: 'Delivery (DORA), 30 days',
    panels: [
      stat(
        'Deployments',
        'Versions that entered the last stage.',
        releaseIncrease('apprelease_deployments_total', '30d'),
      ),
      stat(
        'Change failure rate',
        'Share of the deployments that failed or were taken back.',
        `sum(increase(apprelease_failed_deployments_total{${RELEASES}}[30d])) / sum(increase(apprelease_deployments_total{${RELEASES}}[30d]))`,
        'percentunit',
      ),
      stat(
        'Time to restore',
        'Median, of all releases: from the failure until a version works again.',
        median('apprelease_restore_seconds'),
        's',
      ),
      stat(
        'Lead time',
        'Median, of all releases with apprelease.dev/commit-time: from the commit until every pool serves it.',
        median('apprelease_lead_time_seconds'),
        's',
      ),
      graph('Deployments of a day', 'By release.', 'short', [
        {
          expr: `${releaseIncrease('apprelease_deployments_total', '1d', 'namespace, release')} > 0`,
          legend: '{{namespace}}/{{release}}',
        },
      ]),
      graph('Rollbacks of a day', 'By release and cause.', 'short', [
        {
          expr: `${releaseIncrease('apprelease_rollbacks_total', '1d', 'namespace, release, cause')} > 0`,
          legend: '{{namespace}}/{{release}} {{cause}}',
        },
      ]),
    ],
  },
  {
    title: 'Promotion and rollback',
    panels: [
      graph('States', 'Releases by the reason of their condition Ready.', 'short', [
        { expr: `sum by (state) (apprelease_info{${RELEASES}})`, legend: '{{state}}' },
      ]),
      graph('Who failed', 'Failures and rollbacks of the last hour, by release.', 'short', [
        {
          expr: `${releaseIncrease('apprelease_failures_total', '1h', 'namespace, release')} > 0`,
          legend: 'failed: {{namespace}}/{{release}}',
        },
        {
          expr: `${releaseIncrease('apprelease_rollbacks_total', '1h', 'namespace, release')} > 0`,
          legend: 'rolled back: {{namespace}}/{{release}}',
        },
      ]),
      graph('Events', 'Events of versions in pools.', 'ops', [
        { expr: releaseRate('apprelease_switches_total'), legend: 'switched' },
        { expr: releaseRate('apprelease_promotions_total'), legend: 'promoted' },
        { expr: releaseRate('apprelease_failures_total'), legend: 'failed' },
        { expr: releaseRate('apprelease_rollbacks_total'), legend: 'rollback started' },
        { expr: releaseRate('apprelease_rollbacks_completed_total'), legend: 'rollback complete' },
        { expr: releaseRate('apprelease_rollbacks_rejected_total'), legend: 'rollback rejected' },
      ]),
      graph(
        'Duration of rollbacks',
        'From acceptance until every pool is switched.',
        's',
        quantiles('apprelease_rollback_duration_seconds'),
      ),
    ],
  },
  {
    title: 'VM pools',
    panels: [
      graph('VMs', 'Ready, draining or not ready.', 'short', [
        { expr: `sum by (pool, state) (apprelease_vmpool_nodes{${SELECTED}})`, legend: '{{pool}} {{state}}' },
      ]),
      graph('Cores requested', 'Share of the allocatable cores.', 'percentunit', [
        { expr: requestedShare('cpu_cores'), legend: '{{pool}}' },
      ]),
      graph('Memory requested', 'Share of the allocatable memory.', 'percentunit', [
        { expr: requestedShare('memory_bytes'), legend: '{{pool}}' },
      ]),
      graph('Kernels and kubelets', 'Several in one pool: a patch is in progress or incomplete.', 'short', [
        {
          expr: `sum by (pool, version) (apprelease_vmpool_version_nodes{${SELECTED},component=~"kernel|kubelet"})`,
          legend: '{{pool}} {{version}}',
        },
      ]),
    ],
  },
  {
    title: 'Operator',
    panels: [
      graph('Passes', 'Passes over releases by result.', 'ops', [
        { expr: sumRate('apprelease_reconcile_total', 'result'), legend: '{{result}}' },
        { expr: sumRate('apprelease_reconcile_errors_total'), legend: 'failed, retried' },
      ]),
      graph('Duration of passes', 'Passes over a release.', 's', quantiles('apprelease_reconcile_duration_seconds')),
      graph('Queue', 'Releases waiting for a worker.', 'short', [
        { expr: `sum(workqueue_depth{${SELECTED},name="apprelease"})`, legend: 'waiting' },
        { expr: sumRate('workqueue_retries_total'), legend: 'retries per second' },
      ]),
      graph(
        'Wait in the queue',
        'How long releases wait for a worker.',
        's',
        quantiles('workqueue_queue_duration_seconds'),
      ),
    ],
  },
  {
    title: 'API server and registries',
    panels: [
      graph('Requests to the API server', 'Code 0: no answer.', 'reqps', [
        { expr: sumRate('apprelease_api_requests_total', 'verb, code'), legend: '{{verb}} {{code}}' },
        { expr: sumRate('apprelease_cache_errors_total'), legend: 'failed lists and watches' },
      ]),
      graph(
        'Duration of requests to the API server',
        'Until the answer is read; for a watch, until it starts.',
        's',
        quantiles('apprelease_api_request_duration_seconds'),
      ),
      graph('Tags resolved', 'By outcome.', 'ops', [
        { expr: sumRate('apprelease_registry_resolutions_total', 'outcome'), legend: '{{outcome}}' },
      ]),
      graph(
        'Duration of requests to registries',
        'All requests, including those for tokens.',
        's',
        quantiles('apprelease_registry_request_duration_seconds'),
      ),
    ],
  },
  {
    title: 'Process',
    panels: [
      graph('Memory', 'Resident memory.', 'bytes', [
        { expr: `process_resident_memory_bytes{${SELECTED}}`, legend: '{{pod}}' },
      ]),
      graph('CPU', 'Cores used.', 'short', [
        { expr: `rate(process_cpu_seconds_total{${SELECTED}}[$__rate_interval])`, legend: '{{pod}}' },
      ]),
      graph('Event loop', 'Time that it was blocked, 99th percentile.', 's', [
        { expr: `nodejs_eventloop_lag_p99_seconds{${SELECTED}}`, legend: '{{pod}}' },
      ]),
    ],
  },
];

function requestedShare(unit: string): string {
  const [requested, allocatable] = ['requested', 'allocatable'].map(
    (what) => `sum by (pool) (apprelease_vmpool_${what}_${unit}{${SELECTED}})`,
  );
  return `${requested} / ${allocatable}`;
}

/** The dashboard in Grafana's import format. */
export function dashboard(): object {
  return {
    title: 'AppRelease',
    uid: 'apprelease-operator',
    description: 'Promotions, rollbacks, VM pools and health of the AppRelease operator.',
    tags: ['apprelease', 'kubernetes'],
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    schemaVersion: 39,
    time: { from: 'now-6h', to: 'now' },
    timezone: 'browser',
    templating: { list: variables() },
    panels: ROWS.flatMap(({ title, panels }, row) => layOut(title, panels, row)),
  };
}

function variables(): object[] {
  const fromLabel = (name: string, metric: string, label = name) => ({
    name,
    type: 'query',
    datasource: DATASOURCE,
    query: { query: `label_values(${metric}, ${label})`, refId: name },
    refresh: 2,
    includeAll: true,
    allValue: '.*',
    multi: true,
    current: { text: 'All', value: '$__all' },
  });
  return [
    { name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Data source' },
    fromLabel('namespace', 'apprelease_build_info'),
    fromLabel('job', 'apprelease_build_info{namespace=~"$namespace"}'),
    fromLabel('release_namespace', 'apprelease_info{job=~"$job"}', 'namespace'),
    fromLabel('release', 'apprelease_info{job=~"$job",namespace=~"$release_namespace"}'),
  ];
}

function layOut(title: string, panels: readonly Panel[], row: number): object[] {
  const y = row * (HEIGHT + 1);
  const w = Math.floor(WIDTH / panels.length);
  const id = row * 100 + 1;
  return [
    { type: 'row', id, title, collapsed: false, panels: [], gridPos: { x: 0, y, w: WIDTH, h: 1 } },
    ...panels.map((panel, index) => ({
      type: panel.type,
      id: id + index + 1,
      title: panel.title,
      description: panel.help,
      datasource: DATASOURCE,
      fieldConfig: { defaults: { unit: panel.unit, min: 0 }, overrides: [] },
      targets: panel.queries.map(({ expr, legend }, query) => ({
        refId: String.fromCharCode('A'.charCodeAt(0) + query),
        datasource: DATASOURCE,
        expr,
        legendFormat: legend,
        ...(panel.type === 'table' && { format: 'table', instant: true, range: false }),
      })),
      gridPos: { x: index * w, y: y + 1, w, h: HEIGHT },
    })),
  ];
}

function stat(title: string, help: string, expr: string, unit = 'short'): Panel {
  return { type: 'stat', title, help, unit, queries: [{ expr, legend: title }] };
}

function table(title: string, help: string, expr: string): Panel {
  return { type: 'table', title, help, unit: 'short', queries: [{ expr, legend: '' }] };
}

function graph(title: string, help: string, unit: string, queries: readonly Query[]): Panel {
  return { type: 'timeseries', title, help, unit, queries };
}

function releaseIncrease(metric: string, over = '24h', by?: string): string {
  return `round(sum${grouped(by)}(increase(${metric}{${RELEASES}}[${over}])))`;
}

function releaseRate(metric: string): string {
  return `sum(rate(${metric}{${RELEASES}}[$__rate_interval]))`;
}

function grouped(by: string | undefined): string {
  return by === undefined ? '' : ` by (${by}) `;
}

function sumRate(metric: string, by?: string): string {
  return `sum${grouped(by)}(rate(${metric}{${SELECTED}}[$__rate_interval]))`;
}

function median(histogram: string): string {
  return `histogram_quantile(0.5, sum by (le) (increase(${histogram}_bucket{${SELECTED}}[30d])))`;
}

function quantiles(histogram: string): Query[] {
  return [0.5, 0.9, 0.99].map((quantile) => ({
    expr: `histogram_quantile(${quantile}, sum by (le) (rate(${histogram}_bucket{${SELECTED}}[$__rate_interval])))`,
    legend: `${quantile * 100} %`,
  }));
}
