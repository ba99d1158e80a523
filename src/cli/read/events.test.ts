import { describe, expect, it } from 'vitest';
import { eventHeader, eventLines, eventTable } from '../print/events.ts';
import { paintFor } from '../print/paint.ts';
import type { LiveEvent } from './events.ts';
import { eventsOf } from './events.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');

function at(minutes: number): string {
  return new Date(NOW - minutes * 60_000).toISOString();
}

let uids = 0;

function event(kind: string, name: string, more: object = {}): LiveEvent {
  uids += 1;
  const metadata = { name: `${name}.${uids}`, uid: `uid-${uids}`, resourceVersion: '1', creationTimestamp: at(10) };
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata,
    type: 'Normal',
    reason: 'Done',
    regarding: { kind, name },
    note: 'it is done',
    ...more,
  };
}

const RELATED = { release: 'web', rollbacks: ['web-back'], promotions: ['web-go'], deployments: ['web-a-1'] };

describe('an event', () => {
  it.each([
    ['AppRelease', 'web', true],
    ['AppRelease', 'web-api', false],
    ['ReleaseRollback', 'web-back', true],
    ['ReleaseRollback', 'web-other', false],
    ['ReleasePromotion', 'web-go', true],
    ['ReleasePromotion', 'web-back', false],
    ['Deployment', 'web-a-1', true],
    ['Deployment', 'web-a-10', false],
    ['ReplicaSet', 'web-a-1-6f9c5d7b8', true],
    ['ReplicaSet', 'web-a-10-6f9c5d7b8', false],
    ['Pod', 'web-a-1-6f9c5d7b8-x2x4z', true],
    ['Pod', 'web-a-1-2-6f9c5d7b8-x2x4z', false],
    ['Node', 'web', false],
  ])('of %s %s belongs to the release: %s', (kind, name, belongs) => {
    expect(eventsOf([event(kind, name)], RELATED)).toHaveLength(belongs ? 1 : 0);
  });

  it.each<[what: string, more: object, minutes: number, count: number]>([
    ['of events.k8s.io', { eventTime: at(3) }, 3, 1],
    ['that is repeated', { eventTime: at(3), series: { count: 4, lastObservedTime: at(2) } }, 2, 4],
    ['of the older API', { eventTime: null, deprecatedLastTimestamp: at(5), deprecatedCount: 2 }, 5, 2],
    [
      'of core/v1',
      { regarding: undefined, involvedObject: { kind: 'AppRelease', name: 'web' }, lastTimestamp: at(6), count: 3 },
      6,
      3,
    ],
    ['without any time', {}, 10, 1],
  ])('%s was last seen', (_what, more, minutes, count) => {
    expect(eventsOf([event('AppRelease', 'web', more)], RELATED)).toEqual([
      expect.objectContaining({ at: at(minutes), count, object: 'apprelease/web' }),
    ]);
  });
});

const ROWS = eventsOf(
  [
    event('Pod', 'web-a-1-6f9c5d7b8-x2x4z', {
      type: 'Warning',
      reason: 'BackOff',
      note: 'bad\u001B[2J\n',
      eventTime: at(1),
      series: { count: 7, lastObservedTime: at(0) },
    }),
    event('AppRelease', 'web', { eventTime: at(30) }),
  ],
  RELATED,
);

it('prints a table, the newest event last', () => {
  expect(eventTable(ROWS, NOW, paintFor(false))).toBe(`\
LAST SEEN   TYPE      REASON    OBJECT                        MESSAGE
30m         Normal    Done      apprelease/web                it is done
0s (x7)     Warning   BackOff   pod/web-a-1-6f9c5d7b8-x2x4z   bad\\u001b[2J
`);
});

it('prints lines one by one in the same columns', () => {
  const [head, ...lines] = (eventHeader() + eventLines(ROWS, NOW, paintFor(false))).trimEnd().split('\n');
  expect(lines).toHaveLength(2);
  expect(lines.map((line) => line.search(/it is done|bad/))).toEqual(
    [head, head].map((line) => line?.indexOf('MESSAGE')),
  );
});
