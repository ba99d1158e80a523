import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { KubeError } from './errors.ts';
import { createEventRecorder, type EventFields, type EventRecorder } from './events.ts';
import type { KubeClient } from './types.ts';

const WEB = { apiVersion: 'example.com/v1', kind: 'Widget', namespace: 'shop', name: 'web', uid: 'u1' };
const FIELDS: EventFields = { regarding: WEB, type: 'Normal', reason: 'Promoted', action: 'Promote', note: 'to 1.5.0' };

interface SentEvent {
  metadata: { namespace: string; generateName: string };
  note: string;
}

const create = vi.fn<(resource: unknown, event: SentEvent) => Promise<unknown>>();
const patch = vi.fn<(resource: unknown, key: unknown, patch: unknown) => Promise<unknown>>();
let recorder: EventRecorder;
let errors: unknown[];

function refusal(code: number): KubeError {
  return new KubeError({ code, reason: 'Test', message: '', verb: '', path: '' });
}

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2026-01-01T00:00:00Z') });
  errors = [];
  create.mockReset();
  create.mockImplementation((_resource, { metadata }) =>
    Promise.resolve({ metadata: { namespace: metadata.namespace, name: `${metadata.generateName}x7k2p` } }),
  );
  patch.mockReset();
  patch.mockResolvedValue({});
  recorder = createEventRecorder({
    client: { create, patch } as unknown as Pick<KubeClient, 'create' | 'patch'>,
    controller: 'example.com/operator',
    instance: 'operator-1',
    onError: (error) => errors.push(error),
  });
});

afterEach(async () => {
  await recorder.stop();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

function notes(): string[] {
  return create.mock.calls.map(([, { note }]) => note);
}

test('an event has the form that the API requires', async () => {
  recorder.record({ ...FIELDS, related: { ...WEB, name: 'other', uid: 'u2' } });
  await recorder.flush();
  expect(create.mock.calls[0]?.[1]).toEqual({
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { generateName: 'web-', namespace: 'shop' },
    regarding: WEB,
    related: { ...WEB, name: 'other', uid: 'u2' },
    type: 'Normal',
    reason: 'Promoted',
    action: 'Promote',
    note: 'to 1.5.0',
    eventTime: '2026-01-01T00:00:00.000000Z',
    reportingController: 'example.com/operator',
    reportingInstance: 'operator-1',
  });
});

test('an event about a cluster-scoped object', async () => {
  recorder.record({ ...FIELDS, regarding: { apiVersion: 'v1', kind: 'Node', name: 'vm', uid: 'n' } });
  await recorder.flush();
  expect(create.mock.calls[0]?.[1].metadata.namespace).toBe('default');
});

describe('a note of at most 1024 bytes', () => {
  test.each(['x'.repeat(3000), 'ü'.repeat(3000), 'x€'.repeat(3000), '🚀'.repeat(3000)])('%#', async (note) => {
    recorder.record({ ...FIELDS, note });
    await recorder.flush();
    const [sent = ''] = notes();
    expect(Buffer.byteLength(sent)).toBeLessThanOrEqual(1024);
    expect(Buffer.byteLength(sent)).toBeGreaterThan(1015);
    expect(sent).toMatch(/…$/);
    expect(note.startsWith(sent.slice(0, -1))).toBe(true);
  });
});

describe('repetitions', () => {
  test('are counted, and the count is sent once when the window ends', async () => {
    for (let time = 0; time < 5; time++) {
      recorder.record(FIELDS);
      await vi.advanceTimersByTimeAsync(60_000);
    }
    expect(patch).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(create).toHaveBeenCalledTimes(1);
    expect(patch.mock.calls.map((call) => call.slice(1))).toEqual([
      [
        { namespace: 'shop', name: 'web-x7k2p' },
        { type: 'merge', body: { series: { count: 5, lastObservedTime: '2026-01-01T00:04:00.000000Z' } } },
      ],
    ]);
    await vi.advanceTimersByTimeAsync(3600_000);
    expect(patch).toHaveBeenCalledTimes(1);
  });

  test('after a quiet window it is a new event', async () => {
    recorder.record(FIELDS);
    await vi.advanceTimersByTimeAsync(7 * 60_000);
    recorder.record(FIELDS);
    await recorder.flush();
    expect(create).toHaveBeenCalledTimes(2);
  });

  test('another note, object or reason is another event', async () => {
    recorder.record(FIELDS);
    recorder.record({ ...FIELDS, note: 'to 1.6.0' });
    recorder.record({ ...FIELDS, reason: 'Failed' });
    recorder.record({ ...FIELDS, regarding: { ...WEB, uid: 'u3' } });
    await recorder.flush();
    expect(create).toHaveBeenCalledTimes(4);
  });

  test('are sent at the end', async () => {
    recorder.record(FIELDS);
    recorder.record(FIELDS);
    await recorder.stop();
    expect(patch).toHaveBeenCalledTimes(1);
    recorder.record({ ...FIELDS, note: 'too late' });
    await vi.advanceTimersByTimeAsync(0);
    expect(create).toHaveBeenCalledTimes(1);
  });

  test('of an event that the server has deleted create a new one', async () => {
    patch.mockRejectedValueOnce(refusal(404));
    recorder.record(FIELDS);
    recorder.record(FIELDS);
    await recorder.flush();
    expect(create).toHaveBeenCalledTimes(2);
    expect(errors).toEqual([]);
  });
});

test('one object cannot flood the server, and events of others are sent meanwhile', async () => {
  const flood = (from: number) => {
    for (let number = from; number < from + 40; number++) recorder.record({ ...FIELDS, note: `no ${number}` });
  };
  flood(0);
  recorder.record({ ...FIELDS, regarding: { ...WEB, uid: 'u2' }, note: 'other' });
  await recorder.flush();
  expect(notes()).toHaveLength(26);
  expect(notes().at(-1)).toBe('other');
  await vi.advanceTimersByTimeAsync(10 * 60_000);
  flood(100);
  await recorder.flush();
  expect(notes()).toHaveLength(28);
});

describe('a server that fails', () => {
  test('loses only the event; the next one is sent as new', async () => {
    create.mockRejectedValueOnce(refusal(503));
    recorder.record(FIELDS);
    await recorder.flush();
    expect(errors).toHaveLength(1);
    recorder.record(FIELDS);
    await recorder.flush();
    expect(create).toHaveBeenCalledTimes(2);
  });

  test('does not delay the stop', async () => {
    create.mockReturnValue(new Promise(() => undefined));
    recorder.record(FIELDS);
    const stopped = recorder.stop();
    await vi.advanceTimersByTimeAsync(5000);
    await stopped;
  });

  test('does not fill the memory', async () => {
    const answer = Promise.withResolvers<unknown>();
    create.mockReturnValue(answer.promise);
    for (let number = 0; number < 3000; number++) {
      recorder.record({ ...FIELDS, regarding: { ...WEB, uid: `u${number}` } });
    }
    answer.reject(refusal(503));
    await recorder.flush();
    expect(create).toHaveBeenCalledTimes(1000);
  });
});
