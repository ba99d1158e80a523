import { describe, expect, test } from 'vitest';
import { ANNOTATION, LABEL } from '../../api/meta.ts';
import type { EndpointSlice, Pod, Service } from '../record/kube-objects.ts';
import { meta, NOW } from '../testing.ts';
import type { Drained } from './drained-since.ts';
import { drainedSince, NEVER_DRAINED } from './drained-since.ts';

const BEFORE = NOW - 60_000;
const SWITCHED = '2026-01-01T11:50:00Z';
const SWITCHED_BACK = '2026-01-01T11:55:00Z';

function service(track: string | undefined, switchedAt = SWITCHED): Service {
  const annotations = { [ANNOTATION.switchedAt]: switchedAt };
  return {
    metadata: meta('web', { annotations }),
    spec: { selector: track === undefined ? {} : { [LABEL.track]: track } },
  };
}

/** Pods named track-0, track-1 and so on. */
function pods(...names: string[]): Pod[] {
  return names.map((name) => ({
    metadata: meta(name, { labels: { [LABEL.track]: name.replace(/-\d+$/, '') } }),
    ready: true,
    containers: [],
  }));
}

/** A slice of the Service web; undefined stands for an endpoint that is not a pod. */
function slice(...names: (string | undefined)[]): EndpointSlice {
  const endpoints = names.map((pod) => ({
    ready: true,
    serving: true,
    terminating: false,
    ...(pod !== undefined && { pod }),
  }));
  return { metadata: meta('web-1'), service: 'web', endpoints };
}

const ALL = pods('old-0', 'old-1', 'new-0');

describe('a Service', () => {
  const since = (at: number, track = 'new', switchedAt = SWITCHED) => ({ track, switchedAt, since: at });
  type Row = [
    what: string,
    known: ReturnType<typeof since> | undefined,
    seen: Service,
    slices: EndpointSlice[],
    next?: object,
  ];
  test.each<Row>([
    [
      'is drained from now on if its endpoints name only the selected track',
      undefined,
      service('new'),
      [slice('new-0')],
      since(NOW),
    ],
    ['is drained from now on if it has no endpoint', undefined, service('new'), [], since(NOW)],
    ['keeps the time since when it is drained', since(BEFORE), service('new'), [slice('new-0')], since(BEFORE)],
    [
      'is not drained if one endpoint has another track',
      since(BEFORE),
      service('new'),
      [slice('new-0'), slice('old-1')],
    ],
    ['is not drained if an endpoint is not a pod', since(BEFORE), service('new'), [slice(undefined)]],
    [
      'is not drained if the cache does not have the pod of an endpoint',
      since(BEFORE),
      service('new'),
      [slice('new-7')],
    ],
    ['is not drained if it selects no track', since(BEFORE), service(undefined), []],
    ['is drained from now on after a switch', since(BEFORE), service('old'), [slice('old-0')], since(NOW, 'old')],
    [
      'is drained from now on after two switches between two passes',
      since(BEFORE),
      service('new', SWITCHED_BACK),
      [slice('new-0')],
      since(NOW, 'new', SWITCHED_BACK),
    ],
  ])('%s', (_what, known, seen, slices, next) => {
    const previous = { ...NEVER_DRAINED, services: new Map(known && [['web', known]]) };
    const { services } = drainedSince(previous, { services: [seen], slices, pods: ALL }, NOW);
    expect(services.get('web')).toEqual(next);
  });

  test('is remembered while the cache does not have it', () => {
    const services = new Map([['web', since(BEFORE)]]);
    expect(drainedSince({ ...NEVER_DRAINED, services }, { services: [], slices: [], pods: ALL }, NOW).services).toEqual(
      services,
    );
  });
});

describe('a track', () => {
  test.each<[what: string, known: number | undefined, slices: EndpointSlice[], next: number | undefined]>([
    ['is not drained while an endpoint names it', undefined, [slice('old-0')], Infinity],
    ['is not drained if an endpoint names it again', BEFORE, [slice('old-1')], Infinity],
    ['is drained from now on if no endpoint names it any more', Infinity, [slice('new-0')], NOW],
    ['keeps the time since when it is drained', BEFORE, [slice('new-0')], BEFORE],
    ['has no time if no endpoint has ever named it', undefined, [slice('new-0')], undefined],
  ])('%s', (_what, known, slices, next) => {
    const previous = { ...NEVER_DRAINED, tracks: new Map(known === undefined ? [] : [['old', known]]) };
    expect(drainedSince(previous, { services: [], slices, pods: ALL }, NOW).tracks.get('old')).toBe(next);
  });

  test('is forgotten with its last pod', () => {
    const tracks = new Map([['gone', BEFORE]]);
    expect(
      drainedSince({ ...NEVER_DRAINED, tracks }, { services: [], slices: [], pods: ALL }, NOW).tracks.has('gone'),
    ).toBe(false);
  });
});

test('the previous state is not changed', () => {
  const previous: Drained = { services: new Map(), tracks: new Map([['old', Infinity]]) };
  drainedSince(previous, { services: [service('new')], slices: [], pods: ALL }, NOW);
  expect(previous).toEqual({ services: new Map(), tracks: new Map([['old', Infinity]]) });
});
