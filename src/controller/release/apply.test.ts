import { expect, test } from 'vitest';
import { KubeError } from '../../kube/errors.ts';
import type { Action } from '../../release/record/actions.ts';
import { meta, release } from '../../release/testing.ts';
import { applyAction } from './apply.ts';
import type { ReconcileContext } from './context.ts';
import { createMemory } from './memory.ts';

function answer(code: number, reason: string): Promise<never> {
  return Promise.reject(new KubeError({ code, reason, message: reason, verb: 'test', path: '/' }));
}

const taken = () => answer(409, 'AlreadyExists');
const foreign = () => Promise.resolve({ metadata: meta('shared', { uid: 'foreign' }) });
const written = () => Promise.resolve({ metadata: meta('shared') });
const target = { name: 'shared', uid: 'uid', resourceVersion: '1' };
const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'shared', namespace: 'shop' }, spec: {} };
const autoscaler = { ...service, apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler' };
const APPLY_SERVICE = { kind: 'ApplyService', desired: service, force: false };
const NOTICE = { type: 'Normal', reason: 'Switched', note: 'it is there' };

/** The levels of the log lines, and the events, of an action with these answers of the API server. */
async function applying(action: object, client: object) {
  const levels: string[] = [];
  const events: string[] = [];
  const cache = { get: () => undefined, observeWrite: () => undefined, observeDelete: () => undefined };
  const context = {
    caches: new Proxy({}, { get: () => cache }),
    client,
    now: () => 0,
    record: (_release: unknown, { reason }: { reason: string }) => events.push(reason),
    assertLeading: () => undefined,
    log: (level: string) => levels.push(level),
  } as unknown as ReconcileContext;
  const given = { message: 'make it', notices: [NOTICE], ...action } as unknown as Action;
  await applyAction(context, release(), createMemory(), given);
  return { levels, events };
}

test.each<[string, object, object, string, string[]]>([
  ['an object is created', APPLY_SERVICE, { create: written }, 'info', ['Switched']],
  ['the name of an object is taken', APPLY_SERVICE, { create: taken, get: foreign }, 'debug', ['NameTaken']],
  [
    'the template is tried by a dry run',
    { kind: 'DryRun', hash: 'x', deployment: service, exists: false },
    { create: () => Promise.resolve({ ...service, spec: { template: { spec: { containers: [] } } } }) },
    'debug',
    [],
  ],
  [
    'an object is deleted',
    { kind: 'DeleteService', target },
    { delete: () => Promise.resolve(undefined) },
    'info',
    ['Switched'],
  ],
  [
    'an object was deleted already',
    { kind: 'DeleteService', target },
    { delete: () => answer(404, 'NotFound') },
    'debug',
    [],
  ],
  [
    'an autoscaler is refused',
    { kind: 'ApplyAutoscaler', desired: autoscaler, force: false },
    { create: () => answer(422, 'Invalid') },
    'debug',
    [],
  ],
])('when %s', async (_what, action, client, level, events) => {
  expect(await applying(action, client)).toEqual({ levels: [level], events });
});
