import { describe, expect, test } from 'vitest';
import { canonicalJson } from '../../lib/canonical-json.ts';
import {
  imagesToResolve,
  imageTag,
  knownPins,
  parseRevision,
  placementKeys,
  revisionInput,
  sameInput,
  templateImages,
  topologyOf,
} from './revision.ts';
import { controllerRevision, DIGEST, revision, spec } from '../testing.ts';

describe('image tags', () => {
  test.each([
    ['nginx:1.27', '1.27'],
    ['nginx', undefined],
    ['localhost:5000/nginx', undefined],
    ['localhost:5000/nginx:1.27@sha256:abc', '1.27'],
  ])('%s has tag %s', (image, tag) => {
    expect(imageTag(image)).toBe(tag);
  });
});

describe('what is one revision', () => {
  const wanted = spec();
  const pools = new Set(['a', 'b']);
  const input = revisionInput(wanted, '1.0.0');

  test('the same input in another order of keys', () => {
    const reordered = JSON.parse(canonicalJson(input)) as typeof input;
    expect(sameInput(reordered, input, pools)).toBe(true);
  });

  test('the same input as an older operator recorded it, without a default that came later', () => {
    const ports = input.ports.map(({ protocol: _later, ...port }) => port as (typeof input.ports)[number]);
    expect(ports).not.toEqual(input.ports);
    expect(sameInput({ ...input, ports }, input, pools)).toBe(true);
    expect(sameInput({ ...input, ports }, { ...input, ports: [{ port: 80, protocol: 'UDP' }] }, pools)).toBe(false);
  });

  test('another template, version, port or pool difference is another revision', () => {
    expect(sameInput(input, { ...input, version: '2.0.0' }, pools)).toBe(false);
    expect(sameInput(input, { ...input, ports: [{ port: 81, protocol: 'TCP' }] }, pools)).toBe(false);
    expect(sameInput(input, { ...input, pools: { a: { metadata: { labels: { x: 'y' } } } } }, pools)).toBe(false);
  });

  test('a pool that left makes none', () => {
    const differing = { ...input, pools: { gone: { metadata: { labels: { x: 'y' } } } } };
    expect(sameInput(differing, input, pools)).toBe(true);
  });

  test('replicas, soak and other topology are no part of it', () => {
    const scaled = spec({ stages: [{ name: 'all', pools: [{ name: 'a', replicas: 9 }] }] });
    expect(sameInput(revisionInput(scaled, '1.0.0'), input, pools)).toBe(true);
  });
});

describe('the ledger', () => {
  test('init containers and image volumes are pinned too, each once', () => {
    const { template } = spec({
      template: {
        spec: {
          initContainers: [{ name: 'init', image: 'web:1.0.0' }],
          containers: [
            { name: 'main', image: 'web:1.0.0' },
            { name: 'side', image: 'side:2' },
          ],
          volumes: [
            { name: 'data', image: { reference: 'data:3' } },
            { name: 'tmp', emptyDir: {} },
          ],
        },
      },
    });
    expect(templateImages(template)).toEqual(['web:1.0.0', 'side:2', 'data:3']);
  });

  test('a version keeps the digests that it once had, from a revision or from the ledger', () => {
    const wanted = spec();
    expect(imagesToResolve(wanted, [], {})).toEqual(['web:1.0.0']);
    expect(imagesToResolve(wanted, [revision(1)], {})).toEqual([]);
    const pin = { image: `web:1.0.0@${DIGEST}`, digest: DIGEST };
    expect(imagesToResolve(wanted, [], { '1.0.0': { 'web:1.0.0': pin } })).toEqual([]);
    expect(imagesToResolve(spec({ version: '1.0.1' }), [revision(1)], {})).toEqual(['web:1.0.0']);
    expect(knownPins('1.0.0', [revision(1)], {})).toEqual({ 'web:1.0.0': pin });
  });
});

test('a revision survives being stored; what is none of ours, or broken, is left alone', () => {
  const facts = { pools: { a: { good: '2026-01-01T00:00:00Z' } }, approvals: {}, attempt: 2 };
  expect(parseRevision(controllerRevision(revision(3, spec(), facts)))).toMatchObject({ number: 3, facts });
  const ledger = { ...controllerRevision(revision(3)), data: {} };
  expect(parseRevision(ledger)).toBeUndefined();
  const broken = controllerRevision(revision(3));
  broken.metadata.annotations = { 'apprelease.dev/facts': '{' };
  expect(parseRevision(broken)?.facts).toEqual({ pools: {}, approvals: {} });
});

test('pools behind one Service share their placement key, others have their own', () => {
  const shared = spec({
    stages: [
      {
        name: 'all',
        pools: [
          { name: 'a', nodeSelector: { pool: 'a' }, serviceName: 'web' },
          { name: 'b', nodeSelector: { pool: 'b' }, serviceName: 'web' },
          { name: 'c', nodeSelector: { pool: 'c' } },
        ],
      },
    ],
  });
  const keys = placementKeys(topologyOf(shared), 'web', 'BlueGreen');
  expect(keys.get('a')).toBe(keys.get('b'));
  expect(keys.get('a')).not.toBe(keys.get('c'));
});
