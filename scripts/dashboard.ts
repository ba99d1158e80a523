// The Grafana dashboard, made of rows of panels. Every query is over what src/process/metrics.ts and prom-client export.

interface Query {
  readonly expr: string;
  readonly legend: string;
}

interface Panel {
  readonly title: string;
  readonly help: string;
  readonly unit: string;
  readonly queries: readonly Query[];
  readonly type: 'stat' | 'timeseries';
}

interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

const WIDTH = 24;
const HEIGHT = 7;
const SELECTED = 'namespace=~"$namespace",job=~"$job"';
const DATASOURCE = { type: 'prometheus', uid: '$datasource' };

const ROWS: readonly Row[] = [
  {
    title: 'Releases',
    panels: [
      stat('Leads', 'One operator must lead.', `sum(apprelease_leader{${SELECTED}})`),
      stat('Switches, 24 h', "Pools' Services that were switched.", sumIncrease('apprelease_switches_total')),
      stat('Promotions, 24 h', 'Pools in which a version proved good.', sumIncrease('apprelease_promotions_total')),
      stat('Failures, 24 h', 'Pools in which a version failed.', sumIncrease('apprelease_failures_total')),
      stat('Rollbacks, 24 h', 'Rollbacks that began.', sumIncrease('apprelease_rollbacks_total')),
      stat('Moved tags, 24 h', 'Pinned tags that name another digest.', sumIncrease('apprelease_moved_tags_total')),
    ],
  },
  {
    title: 'Promotion and rollback',
    panels: [
      graph('Events', 'What happened to versions in pools.', 'ops', [
        { expr: sumRate('apprelease_switches_total'), legend: 'switched' },
        { expr: sumRate('apprelease_promotions_total'), legend: 'promoted' },
        { expr: sumRate('apprelease_failures_total'), legend: 'failed' },
        { expr: sumRate('apprelease_rollbacks_total'), legend: 'rollback began' },
        { expr: sumRate('apprelease_rollbacks_completed_total'), legend: 'rollback complete' },
        { expr: sumRate('apprelease_rollbacks_rejected_total'), legend: 'rollback rejected' },
      ]),
      graph(
        'Duration of rollbacks',
        'From the acceptance until every pool is switched.',
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
      graph('Cores requested', 'Of those that the VMs leave to pods.', 'percentunit', [
        { expr: requestedShare('cpu_cores'), legend: '{{pool}}' },
      ]),
      graph('Memory requested', 'Of what the VMs leave to pods.', 'percentunit', [
        { expr: requestedShare('memory_bytes'), legend: '{{pool}}' },
      ]),
      graph(
        'Kernels and kubelets',
        'Where there are several in a pool, a patch is under way or was forgotten.',
        'short',
        [
          {
            expr: `sum by (pool, version) (apprelease_vmpool_version_nodes{${SELECTED},component=~"kernel|kubelet"})`,
            legend: '{{pool}} {{version}}',
          },
        ],
      ),
    ],
  },
  {
    title: 'Operator',
    panels: [
      graph('Passes', 'Passes over releases by result.', 'ops', [
        { expr: sumRate('apprelease_reconcile_total', 'result'), legend: '{{result}}' },
        { expr: sumRate('apprelease_reconcile_errors_total'), legend: 'failed, tried again' },
      ]),
      graph('Duration of passes', 'Passes over a release.', 's', quantiles('apprelease_reconcile_duration_seconds')),
      graph('Queue', 'Releases that wait for a worker.', 'short', [
        { expr: `sum(workqueue_depth{${SELECTED},name="apprelease"})`, legend: 'waiting' },
        { expr: sumRate('workqueue_retries_total'), legend: 'retries per second' },
      ]),
      graph(
        'Wait in the queue',
        'How long releases waited for a worker.',
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
        'Until the answer was read; for a watch until it began.',
        's',
        quantiles('apprelease_api_request_duration_seconds'),
      ),
      graph('Tags resolved', 'By outcome.', 'ops', [
        { expr: sumRate('apprelease_registry_resolutions_total', 'outcome'), legend: '{{outcome}}' },
      ]),
      graph(
        'Duration of requests to registries',
        'Every request, also for tokens.',
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
      graph('Event loop', 'How long it was blocked, 99 %.', 's', [
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

/** As Grafana imports it. */
export function dashboard(): object {
  return {
    title: 'AppRelease',
    uid: 'apprelease-operator',
    description: 'What the AppRelease operator releases and takes back, and how it is.',
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
  const fromLabel = (name: string, selector: string) => ({
    name,
    type: 'query',
    datasource: DATASOURCE,
    query: { query: `label_values(apprelease_build_info${selector}, ${name})`, refId: name },
    refresh: 2,
    includeAll: true,
    allValue: '.*',
    multi: true,
    current: { text: 'All', value: '$__all' },
  });
  return [
    { name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Data source' },
    fromLabel('namespace', ''),
    fromLabel('job', '{namespace=~"$namespace"}'),
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
      })),
      gridPos: { x: index * w, y: y + 1, w, h: HEIGHT },
    })),
  ];
}

function stat(title: string, help: string, expr: string): Panel {
  return { type: 'stat', title, help, unit: 'short', queries: [{ expr, legend: title }] };
}

function graph(title: string, help: string, unit: string, queries: readonly Query[]): Panel {
  return { type: 'timeseries', title, help, unit, queries };
}

function sumIncrease(metric: string): string {
  return `round(sum(increase(${metric}{${SELECTED}}[24h])))`;
}

function sumRate(metric: string, by?: string): string {
  return `sum${by === undefined ? '' : ` by (${by}) `}(rate(${metric}{${SELECTED}}[$__rate_interval]))`;
}

function quantiles(histogram: string): Query[] {
  return [0.5, 0.9, 0.99].map((quantile) => ({
    expr: `histogram_quantile(${quantile}, sum by (le) (rate(${histogram}_bucket{${SELECTED}}[$__rate_interval])))`,
    legend: `${quantile * 100} %`,
  }));
}
