// The health check expressions for Flux in docs/gitops.md, evaluated by the API server in every situation of docs/situations.md.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { GROUP, VERSION } from '../../src/api/meta.ts';
import { installCrds } from '../cluster/kubectl.ts';
import { waitFor } from '../cluster/processes.ts';
import { ownCluster } from './own-cluster.ts';
import { readPage } from './page.ts';

const cluster = ownCluster();
const name = 'flux-test';

interface Expressions {
  kind: string;
  inProgress: string;
  failed: string;
  current: string;
}

const page = await readPage('gitops.md');
const [expressions] = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)]
  .flatMap(([, text = '']) => parseAllDocuments(text).map((document) => document.toJS() as { spec?: object } | null))
  .flatMap((object) => (object?.spec as { healthCheckExprs?: Expressions[] } | undefined)?.healthCheckExprs ?? []);

/** Flux takes the first expression that is true, and InProgress if none is. */
function statusOf({ inProgress, failed, current }: Expressions): string {
  const [a, b, c] = [inProgress, failed, current].map((text) =>
    text.replaceAll(/\b(status|metadata)\./g, 'object.$1.'),
  );
  return `(${a}) ? 'is InProgress' : (${b}) ? 'is Failed' : (${c}) ? 'is Current' : 'is InProgress'`;
}

/** Refuses every write of a status, with the result as the message. */
function policy(): object[] {
  const apiVersion = 'admissionregistration.k8s.io/v1';
  const resourceRules = [
    { apiGroups: [GROUP], apiVersions: [VERSION], operations: ['UPDATE'], resources: ['appreleases/status'] },
  ];
  const namespaceSelector = { matchLabels: { 'kubernetes.io/metadata.name': name } };
  const validations = [{ expression: 'false', messageExpression: expressions && statusOf(expressions) }];
  return [
    {
      apiVersion,
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name },
      spec: { failurePolicy: 'Fail', matchConstraints: { resourceRules, namespaceSelector }, validations },
    },
    {
      apiVersion,
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name },
      spec: { policyName: name, validationActions: ['Deny'] },
    },
  ];
}

beforeAll(async () => {
  await installCrds(cluster);
  await cluster.kubectl(['create', 'namespace', name]);
  const release = {
    apiVersion: `${GROUP}/${VERSION}`,
    kind: 'AppRelease',
    metadata: { name: 'web', namespace: name },
    spec: {
      template: { spec: { containers: [{ name: 'web', image: 'web:1' }] } },
      stages: [{ name: 'production', pools: [{ name: 'prod-a' }] }],
      service: { ports: [{ port: 80 }] },
    },
  };
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [release, ...policy()] });
  await cluster.kubectl(['create', '-f', '-'], { input });
  await waitFor('the policy', async () => (await health({})) !== '', { timeoutSeconds: 60 });
});

afterAll(async () => {
  const policies = ['validatingadmissionpolicy', 'validatingadmissionpolicybinding'];
  await cluster.kubectl(['delete', ...policies.map((kind) => `${kind}/${name}`)]);
  await cluster.kubectl(['delete', 'namespace', name]);
});

async function health(status: object): Promise<string> {
  const patch = `--patch=${JSON.stringify({ status })}`;
  const how = ['--subresource=status', '--type=merge', '--dry-run=server'];
  const refusal = await cluster
    .kubectl(['patch', 'apprelease', 'web', `--namespace=${name}`, ...how, patch])
    .then(() => '', String);
  return /\bis (InProgress|Failed|Current)\b/.exec(refusal)?.[1] ?? '';
}

const [table = ''] = (await readPage('situations.md')).split('\n## ReleaseRollback');
const [header = [], , ...rows] = table
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

/** The row of a situation, by the column. */
const situations = rows
  .map((cells) => Object.fromEntries(header.map((column, index) => [column, cells[index] ?? ''])))
  .filter(({ Ready }) => Ready !== '');

/** By what Argo CD shows; of two situations Flux says something else. */
const HEALTH: Readonly<Record<string, string>> = {
  Healthy: 'Current',
  Progressing: 'InProgress',
  Suspended: 'Current',
  Degraded: 'Failed',
  'Every pod of a pool is lost': 'InProgress',
  'A person’s rollback holds': 'Failed',
};

test('there are situations, and expressions for AppReleases', () => {
  expect(situations.length).toBeGreaterThan(20);
  expect(expressions).toMatchObject({ kind: 'AppRelease' });
});

test.each(situations.map((situation) => [situation['Situation'] ?? '', situation] as const))(
  '%s',
  async (title, row) => {
    const conditions = ['Ready', 'Available', 'Reconciling', 'Stalled'].map((type) => ({
      type,
      status: row[type],
      reason: type === 'Ready' ? row['State'] : type,
      message: '',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    }));
    expect(await health({ observedGeneration: 1, conditions })).toBe(HEALTH[title] ?? HEALTH[row['Argo CD'] ?? '']);
  },
);

test('a spec that the operator has not seen is in progress, whatever the conditions say', async () => {
  const ready = {
    type: 'Ready',
    status: 'True',
    reason: 'Released',
    message: '',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  };
  expect(await health({ observedGeneration: 0, conditions: [ready] })).toBe('InProgress');
  expect(await health({})).toBe('InProgress');
});
