import { describe, expect, test } from 'vitest';
import { readFacts, readIdentity, readPins, readRevisionData, readTopology, readWanted } from './recorded.ts';
import type { Facts } from './recorded-data.ts';
import { topologyOf } from './revision.ts';
import { DIGEST, revision, spec } from '../testing.ts';

const AT = '2026-01-01T11:00:00.000Z';
const PIN = { image: `web:1@${DIGEST}`, digest: DIGEST };

/** The format that all operators have written. */
const FACTS: Facts = {
  pools: {
    a: {
      entered: { at: AT, attempt: 2, key: '1a2b3c4d' },
      placed: { at: AT, key: '1a2b3c4d', done: AT },
      clock: { start: AT, stopped: AT },
      healthySince: AT,
      pulling: AT,
      pulled: AT,
      good: '2026-01-01T11:00:00Z',
      failed: { at: AT, attempt: 1, reason: 'CrashLoop', message: 'again and again' },
      rolledBack: { at: AT, by: 'web-r1-1' },
    },
    constructor: { clock: { start: AT } },
  },
  approvals: { production: { at: AT, promotion: 'go', skipSoak: true, by: 'somebody' } },
  attempt: 2,
};

describe('facts', () => {
  test('are read as they were written', () => {
    expect(readFacts(JSON.stringify(FACTS))).toEqual(FACTS);
    expect(readFacts(undefined)).toEqual({ pools: {}, approvals: {} });
  });

  test.each(['', 'x', 'null', '[]', '7', '{"pools":null,"approvals":[]}', '{"pools":{"a":null}}', '['.repeat(50_000)])(
    'of another shape are ignored: %.40s',
    (text) => {
      expect(readFacts(text)).toEqual({ pools: {}, approvals: {} });
    },
  );

  test('lose only the fields that cannot be read', () => {
    const { a } = FACTS.pools;
    const scribbled = { ...a, entered: 3, clock: { start: 'yesterday' }, healthySince: '2026-99-99', pulled: null };
    const { entered: _entered, clock: _clock, healthySince: _since, pulled: _pulled, ...left } = a ?? {};
    expect(readFacts(JSON.stringify({ pools: { a: scribbled, b: FACTS.pools.a }, attempt: 'x' }))).toEqual({
      pools: { a: left, b: a },
      approvals: {},
    });
    const approvals = { canary: { at: AT }, production: FACTS.approvals.production };
    expect(readFacts(JSON.stringify({ approvals })).approvals).toEqual({ production: FACTS.approvals.production });
  });

  test.each(['failed', 'rolledBack'])('keep a bad mark that cannot be read: %s', (mark) => {
    const { a } = readFacts(JSON.stringify({ pools: { a: { good: AT, [mark]: 'no' } } })).pools;
    expect(a).toEqual({ good: AT, rolledBack: { at: '1970-01-01T00:00:00.000Z', by: 'unknown' } });
  });

  test('of a newer operator are kept', () => {
    const newer = { pools: { a: { good: AT, later: { any: 1 } } }, approvals: {}, later: true };
    expect(readFacts(JSON.stringify(newer))).toEqual(newer);
  });
});

describe('the ledger', () => {
  test('keeps each pin that can be read', () => {
    const written = { '1': { 'web:1': { ...PIN, platforms: { 'linux/amd64': DIGEST } } }, constructor: { web: PIN } };
    expect(readPins(JSON.stringify(written))).toEqual(written);
    expect(readPins(JSON.stringify({ '1': { 'web:1': PIN, 'web:2': { image: 7 } }, '2': null }))).toEqual({
      '1': { 'web:1': PIN },
    });
    expect(['null', '[]', 'x', '{"a":1}'].map(readPins)).toEqual([{}, {}, {}, {}]);
  });

  test('fills in defaults for fields that an older operator did not record', () => {
    const topology = topologyOf(spec());
    const { capacity: _capacity, disruption: _disruption, revisionHistoryLimit: _limit, ...older } = topology;
    const stages = older.stages.map(({ prepull: _prepull, ...stage }) => stage);
    expect(readTopology(JSON.stringify({ ...older, stages }))).toEqual(topology);
  });

  test.each(['null', '{}', '{"stages":[]}', '{"stages":[{"name":"a"}]}', '{"stages":{}}'])(
    'has no topology in %s',
    (text) => {
      expect(readTopology(text)).toBeUndefined();
    },
  );

  test('has the wanted revision as two numbers', () => {
    expect(readWanted('{"revision":1,"newest":2}')).toEqual({ revision: 1, newest: 2 });
    expect(['null', '{"revision":1}', '{"revision":"1","newest":2}'].map(readWanted)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe('the recorded identity of a Deployment', () => {
  test('is read as it was written, or is undefined', () => {
    const tolerations = [{ key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 }];
    const identity = {
      placement: { nodeSelector: { pool: 'a' }, tolerations },
      strategy: 'BlueGreen',
      key: '1a2b3c4d',
    };
    expect(readIdentity(JSON.stringify(identity))).toEqual(identity);
    const wrong = [
      { ...identity, strategy: 'Canary' },
      { ...identity, key: 7 },
      { ...identity, placement: {} },
      { ...identity, placement: { nodeSelector: { pool: 1 }, tolerations } },
      { ...identity, placement: { nodeSelector: {}, tolerations: ['a'] } },
    ];
    expect(wrong.map((one) => readIdentity(JSON.stringify(one)))).toEqual(wrong.map(() => undefined));
  });
});

describe('the data of a revision', () => {
  const { data } = revision(1);

  test('is returned as it was recorded', () => {
    expect(readRevisionData(data)).toBe(data);
  });

  test.each([
    undefined,
    null,
    [],
    'x',
    {},
    { renderer: 1 },
    { ...data, images: [] },
    { ...data, input: { ...data.input, template: {} } },
  ])('of another shape is ignored: %j', (other) => {
    expect(readRevisionData(other)).toBeUndefined();
  });
});
