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
  ])('%s has the tag %s', (image, tag) => {
    expect(imageTag(image)).toBe(tag);
  });
});

describe('two inputs', () => {
  const wanted = spec();
  const pools = new Set(['a', 'b']);
  const input = revisionInput(wanted, '1.0.0');

  test('with another order of keys are the same revision', () => {
    const reordered = JSON.parse(canonicalJson(input)) as typeof input;
    expect(sameInput(reordered, input, pools)).toBe(true);
  });

  test('are the same revision if an older operator recorded one without a newer default', () => {
    const ports = input.ports.map(({ protocol: _later, ...port }) => port as (typeof input.ports)[number]);
    expect(ports).not.toEqual(input.ports);
    expect(sameInput({ ...input, ports }, input, pools)).toBe(true);
    expect(sameInput({ ...input, ports }, { ...input, ports: [{ port: 80, protocol: 'UDP' }] }, pools)).toBe(false);
  });

  test('with different templates, versions, ports or pool templates are different revisions', () => {
    expect(sameInput(input, { ...input, version: '2.0.0' }, pools)).toBe(false);
    expect(sameInput(input, { ...input, ports: [{ port: 81, protocol: 'TCP' }] }, pools)).toBe(false);
    expect(sameInput(input, { ...input, pools: { a: { metadata: { labels: { x: 'y' } } } } }, pools)).toBe(false);
  });

  test('that differ only in a removed pool are the same revision', () => {
    const differing = { ...input, pools: { gone: { metadata: { labels: { x: 'y' } } } } };
    expect(sameInput(differing, input, pools)).toBe(true);
  });

  test('that differ only in replicas, soak or other fields of the topology are the same revision', () => {
    const scaled = spec({ stages: [{ name: 'all', pools: [{ name: 'a', replicas: 9 }] }] });
    expect(sameInput(revisionInput(scaled, '1.0.0'), input, pools)).toBe(true);
  });
});

describe('the ledger', () => {
  test('pins each image of containers, init containers and image volumes once', () => {
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

  test('keeps the digests of a version, from a revision or from the ledger', () => {
    const wanted = spec();
    expect(imagesToResolve(wanted, [], {})).toEqual(['web:1.0.0']);
    expect(imagesToResolve(wanted, [revision(1)], {})).toEqual([]);
    const pin = { image: `web:1.0.0@${DIGEST}`, digest: DIGEST };
    expect(imagesToResolve(wanted, [], { '1.0.0': { 'web:1.0.0': pin } })).toEqual([]);
    expect(imagesToResolve(spec({ version: '1.0.1' }), [revision(1)], {})).toEqual(['web:1.0.0']);
    expect(knownPins('1.0.0', [revision(1)], {})).toEqual({ 'web:1.0.0': pin });
  });
});

test('a stored revision is read back; a foreign object is ignored, and facts that cannot be read are empty', () => {
  const facts = { pools: { a: { good: '2026-01-01T00:00:00Z' } }, approvals: {}, attempt: 2 };
  expect(parseRevision(controllerRevision(revision(3, spec(), facts)))).toMatchObject({ number: 3, facts });
  const ledger = { ...controllerRevision(revision(3)), data: {} };
  expect(parseRevision(ledger)).toBeUndefined();
  const broken = controllerRevision(revision(3));
  broken.metadata.annotations = { 'apprelease.dev/facts': '{' };
  expect(parseRevision(broken)?.facts).toEqual({ pools: {}, approvals: {} });
});

test('pools behind one Service share a placement key, and other pools have keys of their own', () => {
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
