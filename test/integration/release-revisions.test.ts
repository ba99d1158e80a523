// The records of a release are plain objects that others may label, patch and orphan.
import { expect } from 'vitest';
import { REVISIONS } from '../../src/controller/kinds/revisions.ts';
import { test } from './harness.ts';
import { oneStage, release } from './release-objects.ts';

/** Differences between the JSON of Kubernetes and of JavaScript: the order of keys, and these characters. */
const AWKWARD = ['sh', '-c', 'test 1 < 2 && echo "ü \u2028" > out'];

test('Kubernetes accepts a patch of a revision with any template', async ({ world }) => {
  const spec = release(await world.image('1.0'), { stages: oneStage });
  const [container = { name: 'web', image: '' }] = spec.template.spec.containers;
  spec.template.spec.containers = [{ ...container, command: AWKWARD }];
  await world.apply(spec);
  await world.released('1.0');
  // Like the garbage collector, which encodes the whole object again.
  await world.kubectl(
    'patch',
    'controllerrevision',
    'web-1',
    '--type=strategic',
    '--patch={"metadata":{"labels":{"a":"b"}}}',
  );
  await world.kubectl('delete', 'apprelease', 'web', '--cascade=orphan', '--timeout=60s');
  const revisions = await world.list(REVISIONS);
  expect(revisions.map(({ metadata }) => metadata)).toEqual([
    expect.not.objectContaining({ ownerReferences: expect.anything() as object }),
    expect.not.objectContaining({ ownerReferences: expect.anything() as object }),
  ]);
  expect(await world.deployments()).toHaveLength(1);
});
