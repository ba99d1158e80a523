import { describe, expect, test } from 'vitest';
import type { AppReleaseSpec } from '../../api/app-release.ts';
import type { DigestLookup, DryRun, Observed } from './observed.ts';
import type { Revision } from '../record/revision.ts';
import type { Ledger } from '../record/recorded-data.ts';
import { makeDeployment } from '../record/desired.ts';
import { RENDERER } from '../record/renderers.ts';
import { revisionInput, topologyOf } from '../record/revision.ts';
import { DIGEST, knowing, live, observed, release, revision, spec } from '../testing.ts';
import type { SpecView } from './wanted.ts';
import { viewSpec } from './wanted.ts';

interface Given {
  revisions?: readonly Revision[];
  ledger?: Ledger;
  digests?: Record<string, DigestLookup>;
}

const PIN = { image: `web:1.0.0@${DIGEST}`, digest: DIGEST };
const resolved: DigestLookup = { state: 'resolved', ...PIN };

function view(given: AppReleaseSpec, more: Given = {}, dryRuns = new Map<string, DryRun>()): SpecView {
  const { revisions = [], ledger = {}, digests = {} } = more;
  const seen: Observed = observed({ release: release(given), lookUpDigest: knowing(digests) });
  return viewSpec({ ...seen, memory: { ...seen.memory, dryRuns } }, revisions, { ledger, loosened: [] });
}

/** Answers dry runs until none is left. Returns the wanted revision and the pools of the dry runs. */
function prove(given: AppReleaseSpec, more: Given, answer: (pool: string) => DryRun) {
  const dryRuns = new Map<string, DryRun>();
  const tried: string[] = [];
  for (;;) {
    const { wanted } = view(given, more, dryRuns);
    if (wanted.state !== 'Unproven') return { wanted, tried };
    const pool = wanted.deployment.metadata.labels?.['apprelease.dev/pool'] ?? '';
    expect(dryRuns.has(wanted.hash)).toBe(false);
    tried.push(pool);
    dryRuns.set(wanted.hash, answer(pool));
  }
}

describe('an invalid spec', () => {
  test.each([
    [{ targetPort: 70_000 }, 'spec.service.ports[0].targetPort: must be a port from 1 to 65535'],
    [{ targetPort: 0 }, 'spec.service.ports[0].targetPort: must be a port from 1 to 65535'],
  ])('%j gives a message with the field', (port, message) => {
    const wrong = { ...spec(), service: { type: 'ClusterIP', ports: [{ port: 80, protocol: 'TCP', ...port }] } };
    expect(view(wrong as AppReleaseSpec)).toEqual({
      wanted: { state: 'Invalid', reason: 'InvalidSpec', message: expect.stringContaining(message) as string },
    });
  });

  test.each(['web:1.0+b5', 'web:1.0 ', `web:${'x'.repeat(129)}`])(
    'has no version and the invalid tag of %s',
    (image) => {
      const {
        version: _version,
        service: _service,
        ...tagged
      } = spec({ template: { spec: { containers: [{ name: 'main', image }] } } });
      expect(view({ ...tagged, service: undefined, strategy: { type: 'RollingUpdate' } }).wanted).toMatchObject({
        state: 'Invalid',
        reason: 'InvalidSpec',
        message: expect.stringMatching(/^spec\.template: the tag of .* neither a blank nor a \+/) as string,
      });
    },
  );

  test('has no version and no tag', () => {
    const untagged = spec({ template: { spec: { containers: [{ name: 'main', image: 'localhost:5000/web' }] } } });
    const { version: _version, service: _service, ...wrong } = untagged;
    expect(view({ ...wrong, service: undefined, strategy: { type: 'RollingUpdate' } }).wanted).toMatchObject({
      state: 'Invalid',
      reason: 'InvalidSpec',
      message: expect.stringContaining('set spec.version: ') as string,
    });
  });

  test('has a template that Kubernetes rejects in one of the pools with a template', () => {
    const stages = ['a', 'b', 'c'].map((name) => ({
      name,
      pools: [
        {
          name,
          nodeSelector: { pool: name },
          ...(name === 'c' && { template: { metadata: { labels: { 'not valid': '' } } } }),
        },
      ],
    }));
    const { wanted, tried } = prove(spec({ stages }), { digests: { 'web:1.0.0': resolved } }, (pool) =>
      pool === 'c'
        ? { ok: false, reason: 'TemplateRejected', message: 'Kubernetes refuses the template' }
        : { ok: true },
    );
    expect(tried).toEqual(['a', 'c']);
    expect(wanted).toEqual({
      state: 'Invalid',
      reason: 'TemplateRejected',
      message: 'Kubernetes refuses the template',
    });
  });
});

describe('the wanted revision', () => {
  test('waits for the registry and has its error', () => {
    expect(view(spec()).wanted).toEqual({ state: 'Resolving' });
    const failed: DigestLookup = { state: 'failed', reason: 'NotFound', message: 'push it', retryable: true };
    expect(view(spec(), { digests: { 'web:1.0.0': failed } }).wanted).toEqual({ state: 'Resolving', failed });
    const queued: DigestLookup = { state: 'pending', isQueued: true };
    expect(view(spec(), { digests: { 'web:1.0.0': queued } }).wanted).toEqual({ state: 'Resolving', isQueued: true });
  });

  test('is recorded with its pins when all pins are known and Kubernetes accepts the template', () => {
    const { wanted } = prove(spec(), { digests: { 'web:1.0.0': resolved } }, () => ({ ok: true }));
    expect(wanted).toMatchObject({
      state: 'New',
      number: 1,
      data: { renderer: RENDERER, input: revisionInput(spec(), '1.0.0'), images: { 'web:1.0.0': PIN } },
    });
  });

  test.each<[string, Given]>([
    ['a revision', { revisions: [revision(1)] }],
    ['the ledger', { ledger: { '1.0.0': { 'web:1.0.0': PIN } } }],
  ])('has the pins of its version from %s, not from the registry', (_, known) => {
    const other = `sha256:${'b'.repeat(64)}`;
    const moved: DigestLookup = { state: 'resolved', image: `web:1.0.0@${other}`, digest: other };
    const changed = spec({
      template: {
        metadata: { labels: { changed: 'yes' } },
        spec: { containers: [{ name: 'main', image: 'web:1.0.0', ports: [{ name: 'http', containerPort: 80 }] }] },
      },
    });
    const { wanted } = prove(changed, { ...known, digests: { 'web:1.0.0': moved } }, () => ({ ok: true }));
    expect(wanted).toMatchObject({ state: 'New', data: { images: { 'web:1.0.0': PIN } } });
  });

  test('is an older revision if the spec equals its record', () => {
    const revisions = [revision(1), revision(2, spec({ version: '2.0.0' }))];
    expect(view(spec(), { revisions }).wanted).toEqual({ state: 'Recorded', revision: revisions[0] });
  });
});

describe('the dry run of a new revision', () => {
  const rolling = { type: 'RollingUpdate' as const };
  const next = spec({ version: '2.0.0', strategy: rolling });
  const more: Given = { revisions: [revision(1, spec({ strategy: rolling }))], digests: { 'web:1.0.0': resolved } };
  const [pool] = next.stages.flatMap(({ pools }) => pools);

  function running(strategy: 'BlueGreen' | 'RollingUpdate') {
    const of = revision(1, spec({ strategy: rolling }));
    const placement = { nodeSelector: { pool: 'a' }, tolerations: [] };
    const identity = { pool: pool?.name ?? '', revision: of, placement, strategy, key: 'k', name: 'web-live' };
    const owner = { name: 'web', namespace: 'shop', uid: 'uid-web' };
    return live(makeDeployment({ owner, identity, track: 'web-track', replicas: 7, topology: topologyOf(next) }), 7);
  }

  function asked(given: AppReleaseSpec, deployments: Observed['deployments'], digests = more.digests) {
    const seen = { ...observed({ release: release(given), lookUpDigest: knowing(digests ?? {}) }), deployments };
    return viewSpec(seen, more.revisions ?? [], { ledger: {}, loosened: [] }).wanted;
  }

  test('asks for a change of the Deployment that a rolling update changes', () => {
    expect(asked(next, [running('RollingUpdate')])).toMatchObject({
      state: 'Unproven',
      exists: true,
      deployment: { metadata: { name: 'web-live' }, spec: { replicas: 7 } },
    });
  });

  test.each([
    ['a pool without a Deployment', next, [], 'web-a'],
    ['a pool whose Deployment has another strategy', next, [running('BlueGreen')], 'web-a'],
    ['a pool with BlueGreen', spec({ version: '2.0.0' }), [running('RollingUpdate')], 'web-a-2'],
  ])('asks for a new Deployment with all replicas in %s', (_what, given, deployments, name) => {
    expect(asked(given, deployments)).toMatchObject({
      state: 'Unproven',
      exists: false,
      deployment: { metadata: { name }, spec: { replicas: pool?.replicas } },
    });
  });

  test.each(['AdmissionDenied', 'WebhookUnavailable'] as const)('gives no verdict with %s', (reason) => {
    const answer: DryRun = { ok: false, reason, message: 'no' };
    const dryRuns = new Map([[(asked(next, []) as { hash: string }).hash, answer]]);
    const seen = observed({ release: release(next), lookUpDigest: knowing(more.digests ?? {}) });
    const { wanted } = viewSpec({ ...seen, memory: { ...seen.memory, dryRuns } }, more.revisions ?? [], {
      ledger: {},
      loosened: [],
    });
    expect(wanted).toMatchObject({ state: 'Unproven', refused: { reason, message: 'no' } });
  });
});

describe('how the API server stores the pods of a new revision', () => {
  const template = { metadata: { labels: { tier: 'edge' } } };
  const [canary, production] = spec().stages;
  const plain = [...(canary?.pools ?? []), ...(production?.pools ?? [])].map((pool) => ({
    ...pool,
    serviceName: undefined,
  }));
  const given = spec({
    stages: [{ name: 'all', pools: [{ ...plain[0], template }, plain[1], { ...plain[1], name: 'c' }] }],
  });
  const digests = { 'web:1.0.0': resolved };

  test('is recorded for each pool, by one dry run for all pools without a template', () => {
    const { wanted, tried } = prove(given, { digests }, (pool) => ({ ok: true, pods: `hash of ${pool}` }));
    expect(tried).toEqual(['a', 'b']);
    expect(wanted.state === 'New' && wanted.data.stored).toEqual({ a: 'hash of a', b: 'hash of b', c: 'hash of b' });
  });

  test('is not recorded where the API server did not say it', () => {
    const { wanted } = prove(given, { digests }, () => ({ ok: true }));
    expect(wanted).toMatchObject({ state: 'New' });
    expect(wanted.state === 'New' && wanted.data).not.toHaveProperty('stored');
  });
});

test('a barrier makes no new revision', () => {
  const recorded = revision(1);
  expect(view(spec({ rollback: { barrier: true } }), { revisions: [recorded] }).wanted).toEqual({
    state: 'Recorded',
    revision: recorded,
  });
});
