/** Events (events.k8s.io/v1) for people: deduplicated and rate-limited. A failure to send one is never fatal. */

import { printable } from '../lib/printable.ts';
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
  /** A second object that is involved. */
  related?: ObjectReference;
  type: 'Normal' | 'Warning';
  /** The reason in CamelCase, at most 128 characters. */
  reason: string;
  /** The action that was taken or failed, in CamelCase, at most 128 characters. */
  action: string;
  /** A text for people; cut at 1024 bytes. */
  note: string;
}

export interface EventRecorder {
  /** Returns at once. An event that cannot be sent is dropped. */
  record: (fields: EventFields) => void;
  /** Sends pending events and counts of repetitions, for at most five seconds. Never fails. */
  flush: () => Promise<void>;
  /** Flushes, then accepts no more events. May be called twice. */
  stop: () => Promise<void>;
}

export interface EventRecorderOptions {
  client: Pick<KubeClient, 'create' | 'patch'>;
  /** The qualified name of the controller, such as `example.com/operator`. */
  controller: string;
  /** The name of the instance, such as the pod's name, at most 128 characters. */
  instance: string;
  /** Repetitions within this window are counted; the count is sent at its end. Default six minutes, as in client-go. */
  windowMs?: number;
  /** Maximum burst of events of one object. Default 25, as in client-go's spam filter. */
  burst?: number;
  /** Time per further event after a burst. Default five minutes. */
  refillMs?: number;
  onError?: (error: unknown) => void;
}

/** Repetitions of one event. */
interface Series {
  fields: EventFields;
  /** The event on the server; undefined until it was sent. */
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

/** Limits the remembered events, and the queue for a server that does not answer. The size of client-go. */
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
    const note = cutBytes(printable(fields.note), MAX_NOTE_BYTES);
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
      // The next repetition is sent like a first event.
      if (remembered.get(key) === series) remembered.delete(key);
      throw error;
    }
  }

  function eventObject(fields: EventFields, eventTime: string) {
    const { regarding } = fields;
    return {
      apiVersion: EVENTS.apiVersion,
      kind: EVENTS.kind,
      // Events about cluster-scoped objects are in the namespace default.
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

  /** Sends one at a time, so that events do not delay other requests to the API server. */
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

/** Ordered by age; the oldest entry is dropped when there are too many. */
function remember<Value>(entries: Map<string, Value>, key: string, value: Value): void {
  entries.delete(key);
  entries.set(key, value);
  if (entries.size <= MAX_REMEMBERED) return;
  for (const oldest of entries.keys()) {
    entries.delete(oldest);
    return;
  }
}

/** At most `max` bytes of UTF-8, cut between characters. */
function cutBytes(text: string, max: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= max) return text;
  const ellipsis = '…';
  let end = max - Buffer.byteLength(ellipsis);
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end) + ellipsis;
}
