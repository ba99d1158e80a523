import { describe, expect, test } from 'vitest';
import { ANNOTATION } from '../../api/meta.ts';
import type { Action } from '../record/actions.ts';
import { collectRevisions } from './collect-revisions.ts';
import { reconcileLedger } from './ledger.ts';
import type { ControllerRevision } from '../record/kube-objects.ts';
import type { Revision } from '../record/revision.ts';
import type { Facts, Ledger, PinnedImage } from '../record/recorded-data.ts';
import { parseLedger, topologyOf } from '../record/revision.ts';
import { releaseStatus } from '../status/status.ts';
import { controllerRevision, ledgerWith, meta, observed, release, revision, rollout, spec } from '../testing.ts';

const GOOD: Facts = { pools: { a: { good: '2026-01-01T11:00:00Z' } }, approvals: {} };

function digest(number: number): string {
  return `sha256:${String(number).padStart(64, '0')}`;
}

function pinOf(image: string, number: number, more: Partial<PinnedImage> = {}): PinnedImage {
  return { image: `${image}@${digest(number)}`, digest: digest(number), ...more };
}

/** A good revision of a version with these pins. */
function record(number: number, version: string, images: Record<string, PinnedImage>): Revision {
  const made = revision(number, spec({ version }), GOOD);
  return { ...made, data: { ...made.data, images } };
}

function ledgerObject(pins: Ledger): ControllerRevision {
  return ledgerWith({ [ANNOTATION.ledger]: JSON.stringify(pins) });
}

/** The actions if the newest of these revisions is wanted and the history limit is 1. */
function collect(revisions: readonly Revision[], ledger: Ledger): readonly Action[] {
  const version = revisions.at(-1)?.data.input.version ?? '';
  const wanted = release(spec({ version, revisionHistoryLimit: 1 }));
  const objects = [...revisions.map(controllerRevision), ledgerObject(ledger)];
  return collectRevisions(rollout(observed({ release: wanted, revisions: objects })));
}

/** Applies plans until there is no action: returns the remaining revisions and the ledger. */
function settle(revisions: readonly Revision[], before: Ledger = {}): { left: number[]; ledger: Ledger } {
  let [left, ledger] = [[...revisions], before];
  for (let round = 0; round < 2 * revisions.length + 1; round += 1) {
    const actions = collect(left, ledger);
    if (actions.length === 0) return { left: left.map(({ number }) => number), ledger };
    for (const action of actions) {
      if (action.kind === 'DeleteRevision') left = left.filter(({ name }) => name !== action.target.name);
      if (action.kind === 'AnnotateRevision') {
        const { annotations } = action;
        ledger = parseLedger({ ...ledgerObject({}), metadata: meta('web-ledger', { annotations }) }).ledger;
      }
    }
  }
  throw new Error('it never comes to an end');
}

describe('the ledger outlives the revisions', () => {
  const pins = { 'web:1': pinOf('web:1', 1) };
  const later = [record(8, '8', {}), record(9, '9', {})];

  test('digests are written before their revision is removed', () => {
    const revisions = [record(1, '1', pins), ...later];
    expect(collect(revisions, {}).map(({ kind }) => kind)).toEqual(['AnnotateRevision']);
    expect(collect(revisions, { 1: pins }).map(({ kind }) => kind)).toEqual(['DeleteRevision']);
    expect(settle(revisions)).toEqual({ left: [8, 9], ledger: { 1: pins } });
  });

  test('each revision of a version adds the images that only it has', () => {
    const side = { 'side:2': pinOf('side:2', 2) };
    const init = { 'init:3': pinOf('init:3', 3) };
    const revisions = [record(1, '1', pins), record(2, '1', { ...pins, ...side }), record(3, '1', init)];
    expect(settle([...revisions, ...later]).ledger).toEqual({ 1: { ...pins, ...side, ...init } });
  });

  test('a later image of a version is added to its entry', () => {
    const side = { 'side:2': pinOf('side:2', 2) };
    expect(settle([record(4, '1', { ...pins, ...side }), ...later], { 1: pins }).ledger).toEqual({
      1: { ...pins, ...side },
    });
  });

  test('an image that a newer revision of the version lacks is kept too', () => {
    const revisions = [record(1, '9', pins), ...later];
    expect(settle(revisions)).toEqual({ left: [8, 9], ledger: { 9: pins } });
  });

  test('nothing is written if a remaining revision has every pin', () => {
    expect(settle([record(1, '9', pins), record(8, '8', {}), record(9, '9', pins)])).toEqual({
      left: [8, 9],
      ledger: {},
    });
  });

  test('it stays within the limit of the API server: the oldest entries are removed', () => {
    const platforms = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`linux/arch${n}`, digest(n)]));
    const many = Array.from({ length: 40 }, (_, n) =>
      record(n + 1, `v${n + 1}`, { [`web:${n}`]: pinOf(`web:${n}`, n, { platforms }) }),
    );
    const { left, ledger } = settle(many);
    expect(left).toEqual([39, 40]);
    const versions = Object.keys(ledger);
    expect(Buffer.byteLength(JSON.stringify(ledger))).toBeLessThan(255 * 1024);
    expect(versions.length).toBeGreaterThan(20);
    expect(versions).toEqual(Array.from({ length: versions.length }, (_, n) => `v${38 - versions.length + 1 + n}`));
  });

  test('build numbers as versions are removed oldest first too, although JSON puts integer keys first', () => {
    const platforms = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`linux/arch${n}`, digest(n)]));
    const full = Object.fromEntries(
      Array.from({ length: 26 }, (_, n) => [`v${n}`, { web: pinOf('web', n, { platforms }) }]),
    );
    const { left, ledger } = settle([record(1, '77', { web: pinOf('web', 77, { platforms }) }), ...later], full);
    expect(left).toEqual([8, 9]);
    expect(ledger['77']).toBeDefined();
  });
});

describe('the history keeps the bad marks', () => {
  const at = '2026-01-01T11:00:00Z';
  const LEFT: Facts = { pools: { a: { good: at, rolledBack: { at, by: 'back' } } }, approvals: {} };

  /** Each revision has an image of its own. */
  function version(number: number, name: string, facts = GOOD): Revision {
    return { ...record(number, name, { [`web:${number}`]: pinOf(`web:${number}`, number) }), facts };
  }

  test('of the three newest revisions with bad marks, even if they were good before', () => {
    const bad = [1, 2, 3, 4].map((number) => version(number, `v${number}`, LEFT));
    const good = [5, 6, 7].map((number) => version(number, `v${number}`));
    expect(settle([...bad, ...good, version(8, 'v8')]).left).toEqual([2, 3, 4, 7, 8]);
  });

  test('of a revision that the wanted one inherits from, however old it is', () => {
    const bad = [1, 2, 3, 4].map((number) => version(number, `v${number}`, LEFT));
    expect(settle([...bad, version(8, 'v8')]).left).toEqual([2, 3, 4, 8]);
    expect(settle([...bad, version(8, 'v1', { pools: {}, approvals: {} })]).left).toEqual([1, 2, 3, 4, 8]);
  });
});

describe('the topology and the ledger share one object', () => {
  const large = { ...spec().stages[0], pools: [{ name: 'a', replicas: 1, nodeSelector: { pool: 'x'.repeat(63) } }] };

  function objectWith(topologyBytes: number, ledger: Ledger): ControllerRevision {
    const object = ledgerObject(ledger);
    const metrics = [{ type: 'x'.repeat(topologyBytes) }];
    const [pool] = large.pools;
    const stages = [{ ...large, pools: [{ ...pool, autoscaling: { minReplicas: 1, maxReplicas: 2, metrics } }] }];
    const topology = JSON.stringify(topologyOf(spec({ stages })));
    return {
      ...object,
      metadata: {
        ...object.metadata,
        annotations: { ...object.metadata.annotations, [ANNOTATION.topology]: topology },
      },
    };
  }
  function bytesOf(annotations: Record<string, string>): number {
    return Object.entries(annotations).reduce((sum, [key, value]) => sum + Buffer.byteLength(key + value), 0);
  }
  const long = Object.fromEntries(
    Array.from({ length: 100 }, (_, number) => [
      `1.0.${number}`,
      { [`web:${number}`]: pinOf('x'.repeat(1000), number) },
    ]),
  );

  test('a topology that grows removes the oldest pins, in the same write', () => {
    const stages = [
      {
        name: 'all',
        pools: [
          { name: 'a', nodeSelector: {}, autoscaling: { maxReplicas: 2, metrics: [{ type: 'x'.repeat(200_000) }] } },
        ],
      },
    ];
    const wanted = spec({ stages });
    const object = objectWith(0, long);
    const [action] = reconcileLedger(rollout(observed({ release: release(wanted), revisions: [object] })));
    const annotations = action?.kind === 'AnnotateRevision' ? action.annotations : {};
    expect(Object.keys(annotations).toSorted()).toEqual([ANNOTATION.ledger, ANNOTATION.topology].toSorted());
    expect(bytesOf(annotations)).toBeLessThan(256 * 1024);
    const kept = Object.keys(JSON.parse(annotations[ANNOTATION.ledger] ?? '') as Ledger);
    expect(kept.length).toBeGreaterThan(10);
    expect(kept).toEqual(Object.keys(long).slice(-kept.length));
  });

  test('a revision is removed even if there is no room for its pins', () => {
    const revisions = [1, 2, 3, 4].map((number) =>
      record(number, `1.0.${number}`, { [`web:${number}`]: pinOf('x'.repeat(1000), number) }),
    );
    const wanted = release(spec({ version: '1.0.4', revisionHistoryLimit: 1 }));
    const objects = [...revisions.map(controllerRevision), objectWith(254_500, {})];
    const actions = collectRevisions(rollout(observed({ release: wanted, revisions: objects })));
    expect(actions.map(({ kind }) => kind)).toEqual(['DeleteRevision']);
  });
});

describe('changes of the spec that loosen gates', () => {
  const manual = { stages: [{ name: 'production', approval: 'Manual', pools: [{ name: 'b', nodeSelector: {} }] }] };
  const automatic = { stages: manual.stages.map((stage) => ({ ...stage, approval: 'Automatic' })) };
  const gates = ['pools of stage production no longer need an approval'];
  const event = { type: 'Warning', reason: 'GatesLoosened', note: gates[0] };

  /** What the ledger records of a change of the topology, if version 1.0.0 is revision 1. */
  function changed(before: Record<string, unknown>, after: Record<string, unknown>, recorded?: string) {
    const object = ledgerWith({
      [ANNOTATION.topology]: JSON.stringify(topologyOf(spec(before))),
      ...(recorded !== undefined && { [ANNOTATION.loosened]: recorded }),
    });
    const revisions = [controllerRevision(revision(1, spec(before), GOOD)), object];
    const [action] = reconcileLedger(rollout(observed({ release: release(spec(after)), revisions })));
    const { annotations = {} } = action?.kind === 'AnnotateRevision' ? action : {};
    const next = { ...object, metadata: { ...object.metadata, annotations } };
    return { loosened: parseLedger(next).loosened, text: annotations[ANNOTATION.loosened], notices: action?.notices };
  }
  const entry = (number: number) => ({ at: '2026-01-01T12:00:00.000Z', revision: number, gates });

  test.each<[what: string, before: object, after: object, loosened: object[], notices?: object[]]>([
    ['a gate that is loosened', manual, automatic, [entry(1)], [event]],
    ['a gate that is loosened for another version', manual, { ...automatic, version: '2.0.0' }, [entry(2)], [event]],
    ['a gate that is tightened', automatic, manual, []],
    ['another change', manual, { ...manual, minReadySeconds: 3 }, []],
  ])('%s', (_what, before, after, loosened, notices) => {
    expect(changed({ ...before }, { ...after })).toMatchObject({ loosened, notices });
  });

  test('the newest ones are kept, within their limit', () => {
    let text: string | undefined;
    for (let count = 0; count < 100; count += 1) ({ text } = changed(manual, automatic, text));
    expect(text?.length).toBeLessThan(4096);
    expect(text?.length).toBeGreaterThan(3900);
    const old = JSON.stringify([{ ...entry(7), at: '2025-01-01T00:00:00.000Z' }]);
    expect(changed(manual, automatic, old).loosened.map((one) => one.revision)).toEqual([7, 1]);
  });

  test('are in the history of their revision', () => {
    const object = ledgerWith({ [ANNOTATION.loosened]: JSON.stringify([entry(1)]) });
    const revisions = [1, 2].map((number) =>
      controllerRevision(revision(number, spec({ version: `${number}` }), GOOD)),
    );
    const seen = rollout(observed({ release: release(spec({ version: '2' })), revisions: [...revisions, object] }));
    const { history } = releaseStatus(seen, {});
    expect(history?.map(({ revision: number, loosened }) => [number, loosened])).toEqual([
      [2, undefined],
      [1, [`2026-01-01T12:00:00.000Z: ${gates[0]}`]],
    ]);
  });
});
