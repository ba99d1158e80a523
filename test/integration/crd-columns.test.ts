// The CRDs for people: the columns of kubectl get, and kubectl explain.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GROUP } from '../../src/api/meta.ts';
import { installCrds } from '../cluster/kubectl.ts';
import { ownCluster } from './own-cluster.ts';
import { createPoster, groupObject as object } from './post.ts';

const cluster = ownCluster();
const namespace = 'crd-columns-test';
const api = createPoster(cluster, namespace);

function kubectl(...args: string[]): Promise<string> {
  return cluster.kubectl([`--namespace=${namespace}`, ...args]);
}

function release(name: string) {
  return object('AppRelease', name, {
    template: { spec: { containers: [{ name: 'web', image: 'registry.example/shop/web:1.4.2' }] } },
    stages: [{ name: 'production', pools: [{ name: 'prod-a' }] }],
    service: { ports: [{ port: 80 }] },
  });
}

beforeAll(async () => {
  await installCrds(cluster);
  await cluster.kubectl(['create', 'namespace', namespace]);
});

afterAll(async () => {
  await api.close();
  await cluster.kubectl(['delete', 'namespace', namespace]);
});

describe('the output of kubectl', () => {
  const now = '2026-01-01T00:00:00Z';

  function condition(type: string, status: string, reason: string, message = '') {
    return { type, status, reason, message, lastTransitionTime: now };
  }

  async function setStatus(resource: string, status: object): Promise<void> {
    const patch = `--patch=${JSON.stringify({ status })}`;
    await kubectl('patch', resource, '--subresource=status', '--type=merge', patch);
  }

  /** The rows of a table, with cells by column. */
  function cells(table: string): string[][] {
    return table
      .trimEnd()
      .split('\n')
      .map((line) => line.trim().split(/ {2,}/));
  }

  test('kubectl get apprel', async () => {
    await api.create(release('seen'));
    await setStatus('apprelease/seen', {
      version: '1.5.0',
      revision: 7,
      stage: 'production',
      readyPools: '2/3',
      conditions: [
        condition('Ready', 'False', 'AwaitingApproval', 'stage production waits for approval'),
        condition('Available', 'True', 'Available'),
      ],
    });
    const [head, row] = cells(await kubectl('get', 'apprel', 'seen'));
    expect(head).toEqual(['NAME', 'VERSION', 'STATE', 'STAGE', 'POOLS', 'AGE']);
    expect(row?.slice(0, -1)).toEqual(['seen', '1.5.0', 'AwaitingApproval', 'production', '2/3']);
    const [wideHead, wideRow] = cells(await kubectl('get', 'apprel', 'seen', '--output=wide'));
    expect(wideHead).toEqual([...(head ?? []).slice(0, -1), 'AVAILABLE', 'REVISION', 'MESSAGE', 'AGE']);
    expect(wideRow?.slice(5, 8)).toEqual(['True', '7', 'stage production waits for approval']);
  });

  test('kubectl get rollback', async () => {
    await api.create(object('ReleaseRollback', 'seen', { release: 'web', reason: 'errors' }));
    await setStatus('releaserollback/seen', {
      toVersion: '1.4.2',
      conditions: [
        condition('Accepted', 'True', 'Accepted'),
        condition('Complete', 'False', 'Switching'),
        condition('InForce', 'True', 'Holding'),
      ],
    });
    const [head, row] = cells(await kubectl('get', 'rollback', 'seen'));
    expect(head).toEqual(['NAME', 'RELEASE', 'TO', 'ACCEPTED', 'COMPLETE', 'HOLD', 'AGE']);
    expect(row?.slice(0, -1)).toEqual(['seen', 'web', '1.4.2', 'True', 'False', 'Holding']);
  });

  test('kubectl get promotion', async () => {
    await api.create(object('ReleasePromotion', 'seen', { release: 'web', stage: 'production' }));
    await setStatus('releasepromotion/seen', { revision: 7, conditions: [condition('Accepted', 'True', 'Accepted')] });
    const [head, row] = cells(await kubectl('get', 'promotion', 'seen'));
    expect(head).toEqual(['NAME', 'RELEASE', 'STAGE', 'REVISION', 'ACCEPTED', 'COMPLETE', 'AGE']);
    expect(row?.slice(0, 5)).toEqual(['seen', 'web', 'production', '7', 'True']);
  });

  test('kubectl get apprelease NAME, and all kinds by category', async () => {
    await api.create(release('category'));
    await api.create(object('ReleaseRollback', 'category', { release: 'web' }));
    expect(await kubectl('get', 'apprelease', 'category', '--output=name')).toBe(`apprelease.${GROUP}/category\n`);
    const all = (await kubectl('get', 'apprelease-all', '--output=name')).split('\n');
    expect(all).toEqual(expect.arrayContaining([`apprelease.${GROUP}/category`, `releaserollback.${GROUP}/category`]));
  });

  test('kubectl explain, with descriptions, enumerations and defaults', async () => {
    const text = (await kubectl('explain', 'apprelease.spec.stages.pools')).replaceAll(/\s+/g, ' ');
    expect(text).toContain('FIELD: pools <[]Object>');
    expect(text).toContain('The pools of this stage. They roll out together.');
    expect(text).toContain('name <string> -required- The name of the pool of VMs.');
    expect(text).toMatch(/replicas <integer> The number of pods\..* Default: 1\./);
    const spec = (await kubectl('explain', 'apprelease.spec')).replaceAll(/\s+/g, ' ');
    expect(spec).toContain('What must run, where, and in which order the pools get it.');
    expect(spec).toContain('version <string> The wanted version, in quotes, because YAML reads 1.5 as a number.');
    const stages = (await kubectl('explain', 'apprelease.spec.stages')).replaceAll(/\s+/g, ' ');
    expect(stages).toContain('approval <string> enum: Automatic, Manual');
  });
});
