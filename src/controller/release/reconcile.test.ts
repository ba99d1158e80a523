import { expect, test } from 'vitest';
import type { AppRelease } from '../../api/app-release.ts';
import type { Notice } from '../../release/record/actions.ts';
import { NOW, release, spec } from '../../release/testing.ts';
import { createReconciler } from './reconcile.ts';
import type { ReconcileContext } from './context.ts';

test('an error of a rule is reported once by an event and the log, and the status names the field', async () => {
  const base = spec();
  const broken = { name: 'side', image: 'side:1' };
  // The getter throws in place of a rule with a bug.
  Object.defineProperty(broken, 'restartPolicy', {
    enumerable: true,
    get: () => {
      throw new TypeError('cannot read it');
    },
  });
  const template = { spec: { ...base.template.spec, initContainers: [broken] } };
  let known: AppRelease = release({ ...base, template });
  const empty = { get: () => undefined, list: () => [], byIndex: () => [] };
  const releases = {
    ...empty,
    get: () => known,
    observeWrite: (written: AppRelease) => {
      known = written;
    },
  };
  const notices: Notice[] = [];
  const logged: unknown[] = [];
  const context = {
    caches: new Proxy({}, { get: (_, name) => (name === 'releases' ? releases : empty) }) as ReconcileContext['caches'],
    client: {
      patch: (_resource: unknown, _key: unknown, { operations }: { operations: { path: string; value: unknown }[] }) =>
        Promise.resolve({ ...known, status: operations.find(({ path }) => path === '/status')?.value }),
    } as unknown as ReconcileContext['client'],
    seesAllPods: false,
    now: () => NOW,
    record: (_release, notice) => notices.push(notice),
    assertLeading: () => undefined,
    log: (_level, fields) => logged.push(fields['error']),
  } as Partial<ReconcileContext> as ReconcileContext;
  const reconcile = createReconciler(context);
  await reconcile('shop/web', new AbortController().signal);
  await reconcile('shop/web', new AbortController().signal);
  expect(notices).toEqual([
    { type: 'Warning', reason: 'InternalError', note: expect.stringContaining('cannot read it') as string },
  ]);
  expect(logged).toEqual([expect.any(TypeError)]);
  expect(known.status?.conditions).toContainEqual(
    expect.objectContaining({
      type: 'Stalled',
      status: 'True',
      reason: 'InternalError',
      message: expect.stringMatching(/^spec/) as string,
    }),
  );
});
