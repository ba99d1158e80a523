/** Events (events.k8s.io/v1) for people who look at an object: deduplicated, limited, and never worth a failure. */

import { sleep } from './backoff.ts';
import { isNotFound } from './errors.ts';
import { microTime } from './lease.ts';
import type { KubeClient, KubeObject, Resource } from './types.ts';

/** core/v1 ObjectReference. */
export interface ObjectReference {
  apiVersion: string;
  kind: string;
  namespace?: string;
  name: string;
  uid: string;
}

interface KubeEvent extends KubeObject {
  eventTime?: string;
  reportingController?: string;
  reportingInstance?: string;
  action?: string;
  reason?: string;
  regarding?: ObjectReference;
  related?: ObjectReference;
  note?: string;
  type?: string;
  series?: { count: number; lastObservedTime: string };
}

const EVENTS: Resource<KubeEvent> = {
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
};

export interface EventFields {
  regarding: ObjectReference;
  /** A second object that has part in it. */
  related?: ObjectReference;
  type: 'Normal' | 'Warning';
  /** Why, in CamelCase, at most 128 characters. */
  reason: string;
  /** What was done, or failed, in CamelCase, at most 128 characters. */
  action: string;
  /** For people; cut at 1024 bytes. */
  note: string;
}

export interface EventRecorder {
  /** Returns at once. What can't be sent is dropped. */
  record: (fields: EventFields) => void;
  /** Sends what waits, the counts of repetitions too, as far as it can in five seconds. Never fails. */
  flush: () => Promise<void>;
  /** Flushes, and takes nothing any more. May be called twice. */
  stop: () => Promise<void>;
}

export interface EventRecorderOptions {
  client: Pick<KubeClient, 'create' | 'patch'>;
  /** Qualified name of the controller, such as `example.com/operator`. */
  controller: string;
  /** At most 128 characters, such as the pod's name. */
  instance: string;
  /** A repetition within it is only counted. The count is sent at its end. Default six minutes, as client-go has it. */
  windowMs?: number;
  /** Events of one object that may come at once. Default 25, as in client-go's spam filter. */
  burst?: number;
  /** After a burst one more each. Default five minutes. */
  refillMs?: number;
  onError?: (error: unknown) => void;
}

/** Repetitions of one event. */
interface Series {
  fields: EventFields;
  /** What the server calls it; undefined until it was sent. */
  sent: { namespace: string; name: string } | undefined;
  count: number;
  sentCount: number;
  lastObserved: number;
  lastSent: number;
}

interface Bucket {
  tokens: number;
  filledAt: number;
}

/** Bounds what is remembered, and what waits for a server that doesn't answer; client-go's size. */
const MAX_REMEMBERED = 4096;
const MAX_PENDING = 1000;
const MAX_NOTE_BYTES = 1024;
const FLUSH_MS = 5_000;

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { client, windowMs = 6 * 60_000, burst = 25, refillMs = 5 * 60_000 } = options;
  const remembered = new Map<string, Series>();
  const buckets = new Map<string, Bucket>();
  let tail = Promise.resolve();
  let pending = 0;
  let stopped: Promise<void> | undefined;
  const sweeper = setInterval(sweep, windowMs / 6).unref();

  function record(fields: EventFields): void {
    if (stopped) return;
    const note = cutBytes(fields.note, MAX_NOTE_BYTES);
    const key = JSON.stringify([
      fields.regarding.uid,
      fields.related?.uid,
      fields.type,
      fields.reason,
      fields.action,
      note,
    ]);
    const known = remembered.get(key);
    const now = performance.now();
    if (known && now - known.lastObserved < windowMs) {
      known.count++;
      known.lastObserved = now;
      return;
    }
    if (pending >= MAX_PENDING || !takeToken(fields.regarding.uid)) return;
    const times = { lastObserved: now, lastSent: now };
    const series: Series = { fields: { ...fields, note }, sent: undefined, count: 1, sentCount: 0, ...times };
    remember(remembered, key, series);
    enqueue(() => create(key, series, microTime()));
  }

  function takeToken(uid: string): boolean {
    const now = performance.now();
    const bucket = buckets.get(uid) ?? { tokens: burst, filledAt: now };
    bucket.tokens = Math.min(burst, bucket.tokens + (now - bucket.filledAt) / refillMs);
    bucket.filledAt = now;
    remember(buckets, uid, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }

  async function create(key: string, series: Series, eventTime: string): Promise<void> {
    try {
      const created = await client.create(EVENTS, eventObject(series.fields, eventTime));
      const { namespace = '', name } = created.metadata;
      series.sent = { namespace, name };
      series.sentCount = 1;
    } catch (error) {
      // The next repetition is sent as if it were the first.
      if (remembered.get(key) === series) remembered.delete(key);
      throw error;
    }
  }

  function eventObject(fields: EventFields, eventTime: string) {
    const { regarding } = fields;
    return {
      apiVersion: EVENTS.apiVersion,
      kind: EVENTS.kind,
      // Events about cluster-scoped objects live in the namespace default.
      metadata: { generateName: `${regarding.name}-`, namespace: regarding.namespace ?? 'default' },
      ...fields,
      eventTime,
      reportingController: options.controller,
      reportingInstance: options.instance,
    };
  }

  function sweep(): void {
    const now = performance.now();
    for (const [key, series] of remembered) {
      if (now - series.lastSent >= windowMs) sendCount(key, series);
      if (now - series.lastObserved >= windowMs) remembered.delete(key);
    }
    for (const [uid, { tokens, filledAt }] of buckets) {
      if (tokens + (now - filledAt) / refillMs >= burst) buckets.delete(uid);
    }
  }

  function sendCount(key: string, series: Series): void {
    if (!series.sent || series.count === series.sentCount || pending >= MAX_PENDING) return;
    const { sent, count } = series;
    const lastObserved = Date.now() - (performance.now() - series.lastObserved);
    series.sentCount = count;
    series.lastSent = performance.now();
    enqueue(async () => {
      try {
        const body = { series: { count, lastObservedTime: microTime(new Date(lastObserved)) } };
        await client.patch(EVENTS, sent, { type: 'merge', body });
      } catch (error) {
        if (!isNotFound(error)) throw error;
        // The server keeps events for an hour.
        await create(key, series, microTime());
      }
    });
  }

  /** One at a time: events must not take the API server away from the work they tell of. */
  function enqueue(send: () => Promise<void>): void {
    pending++;
    tail = tail
      .then(send)
      .catch(report)
      .finally(() => {
        pending--;
      });
  }

  function report(error: unknown): void {
    options.onError?.(error);
  }

  async function flush(): Promise<void> {
    const tooLong = new AbortController();
    await Promise.race([sendAll(), sleep(FLUSH_MS, tooLong.signal)]);
    tooLong.abort();
  }

  async function sendAll(): Promise<void> {
    await tail;
    for (const [key, series] of remembered) sendCount(key, series);
    await tail;
  }

  function stop(): Promise<void> {
    clearInterval(sweeper);
    stopped ??= flush();
    return stopped;
  }

  return { record, flush, stop };
}

/** The newest last; the oldest goes when there are too many. */
function remember<Value>(entries: Map<string, Value>, key: string, value: Value): void {
  entries.delete(key);
  entries.set(key, value);
  if (entries.size <= MAX_REMEMBERED) return;
  for (const oldest of entries.keys()) {
    entries.delete(oldest);
    return;
  }
}

/** At most `max` bytes of UTF-8, no character cut in two. */
function cutBytes(text: string, max: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= max) return text;
  const ellipsis = '…';
  let end = max - Buffer.byteLength(ellipsis);
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end) + ellipsis;
}
