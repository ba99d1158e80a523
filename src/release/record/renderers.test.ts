import { describe, expect, test } from 'vitest';
import type { PodTemplate, PoolTemplate } from '../../api/app-release.ts';
import { revision, spec } from '../testing.ts';
import { renderTemplate } from './renderers.ts';

type Variable = { name: string; value: string };

function rendered(renderer: number, template: PodTemplate, difference: PoolTemplate): PodTemplate {
  const { data, ...more } = revision(1, spec({ template }));
  const made = { ...more, data: { ...data, renderer, input: { ...data.input, pools: { a: difference } } } };
  return renderTemplate(made, 'a', { nodeSelector: {}, tolerations: [] }, OURS);
}

const OURS = { 'app.kubernetes.io/managed-by': 'apprelease', 'apprelease.dev/pool': 'a' };

/** Written as NAME=value. */
function variables(text: string): Variable[] {
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => ({ name: word.split('=')[0] ?? '', value: word.split('=')[1] ?? '' }));
}

describe('the variables of a pool', () => {
  test.each([
    [1, 'an override goes to the end', 'HOST=a URL=$(HOST)', 'HOST=b', 'URL=$(HOST) HOST=b'],
    [2, 'an override takes the place of what it overrides', 'HOST=a URL=$(HOST)', 'HOST=b', 'HOST=b URL=$(HOST)'],
    [2, 'new variables come after, in their order', 'A=1 B=2', 'D=4 B=two C=3', 'A=1 B=two D=4 C=3'],
    [2, 'a container without variables gets those of the pool', '', 'B=2 A=1', 'B=2 A=1'],
    [2, 'a pool without variables changes none', 'A=1 B=2', '', 'A=1 B=2'],
  ])('renderer %i: %s', (renderer, _title, own, overrides, expected) => {
    const containers = [{ name: 'main', image: 'web:1.0.0', env: variables(own) }];
    const template = { spec: { containers, initContainers: [{ ...containers[0], name: 'init' }] } } as PodTemplate;
    const difference = ['main', 'init'].map((name) => ({ name, env: variables(overrides) }));
    const { spec: pods } = rendered(renderer, template, { spec: { containers: difference } });
    for (const { env } of [...pods.containers, ...(pods.initContainers ?? [])])
      expect(env).toEqual(variables(expected));
  });

  test('an override replaces the whole variable, also where its value comes from', () => {
    const valueFrom = { secretKeyRef: { name: 'db', key: 'host' } };
    const template = {
      spec: { containers: [{ name: 'main', image: 'web:1.0.0', env: [{ name: 'HOST', valueFrom }] }] },
    };
    const difference = { spec: { containers: [{ name: 'main', env: variables('HOST=b') }] } };
    expect(rendered(2, template, difference).spec.containers[0]?.env).toEqual(variables('HOST=b'));
  });
});

test('a pool that took the place of another one has the template of that pool, if it has none itself', () => {
  const { data, ...more } = revision(1, spec(), { pools: { x: { follows: 'a' } }, approvals: {} });
  function hostOf(pool: string, pools: Record<string, PoolTemplate>): unknown {
    const made = { ...more, data: { ...data, input: { ...data.input, pools } } };
    const [main] = renderTemplate(made, pool, { nodeSelector: {}, tolerations: [] }, OURS).spec.containers;
    return main?.env?.[0]?.['value'];
  }
  const [a, x] = ['a', 'x'].map((value) => ({
    spec: { containers: [{ name: 'main', env: [{ name: 'HOST', value }] }] },
  }));
  expect(hostOf('x', { a: a ?? {} })).toBe('a');
  expect(hostOf('x', { a: a ?? {}, x: x ?? {} })).toBe('x');
  expect(hostOf('y', { a: a ?? {} })).toBeUndefined();
});

describe('the metadata of the pods', () => {
  const template: PodTemplate = {
    metadata: {
      labels: { app: 'web', 'app.kubernetes.io/managed-by': 'Helm', 'apprelease.dev/pool': 'forged' },
      finalizers: ['example.com/hold'],
    },
    spec: { containers: [{ name: 'main', image: 'web:1.0.0' }] },
  };

  test('has the labels of the user but those of apprelease.dev, and the finalizers', () => {
    expect(rendered(2, template, {}).metadata).toMatchObject({
      labels: { app: 'web', 'app.kubernetes.io/managed-by': 'Helm', 'apprelease.dev/pool': 'a' },
      finalizers: ['example.com/hold'],
    });
  });

  test('has a label of the pool before that of the template', () => {
    const difference = { metadata: { labels: { 'app.kubernetes.io/managed-by': 'flux', 'apprelease.dev/pool': 'x' } } };
    expect(rendered(2, template, difference).metadata?.labels).toEqual({
      app: 'web',
      'app.kubernetes.io/managed-by': 'flux',
      'apprelease.dev/pool': 'a',
    });
  });

  test('by renderer 1 has the label of the operator, and no finalizers', () => {
    const { metadata } = rendered(1, template, {});
    expect(metadata?.labels).toEqual({ app: 'web', ...OURS });
    expect(metadata).not.toHaveProperty('finalizers');
  });
});
