// Which answers of registries are cached, and for how long.
import { describe, expect, it } from 'vitest';
import { createAnswers } from './answers.ts';
import { parseManifest } from './manifest.ts';
import type { Resolved } from './types.ts';

const DIGEST = `sha256:${'1'.repeat(64)}`;
const resolved: Resolved = { kind: 'resolved', pinned: `app:1@${DIGEST}`, digest: DIGEST, platforms: [] };
const MINUTE = 60_000;

function start(maxBytes = 1024 * 1024) {
  const clock = { now: 1 };
  return { clock, answers: createAnswers({ maxBytes, freshMs: MINUTE, now: () => clock.now }) };
}

function ask(answers: ReturnType<typeof createAnswers>, namespace: string, ids: readonly string[]): string[] {
  return ids.filter((id) => answers.get(namespace, id, Infinity) !== undefined);
}

it('indexes of 150 tags with platforms of 41 kB stay within the limit', () => {
  const { answers } = start(64 * 1024 * 1024);
  const manifests = Array.from({ length: 100 }, () => ({
    digest: DIGEST,
    platform: { os: 'x'.repeat(41_000), architecture: 'amd64' },
  }));
  const body = Buffer.from(JSON.stringify({ mediaType: 'application/vnd.oci.image.index.v1+json', manifests }));
  const platforms = parseManifest(body, undefined)?.platforms ?? [];
  expect(platforms).toHaveLength(100);
  for (let n = 0; n < 150; n += 1) answers.set('shop', `${n}`, { ...resolved, platforms });
  expect(answers.size()).toBe(150);
  expect(answers.bytes()).toBeLessThan(4 * 1024 * 1024);
});

describe('above the memory limit', () => {
  it('the least recently used answers are dropped', () => {
    const { answers } = start(3400);
    for (const id of ['a', 'b', 'c', 'd']) answers.set('shop', id, resolved);
    expect(ask(answers, 'shop', ['a'])).toEqual(['a']);
    for (const id of ['e', 'f', 'g']) answers.set('shop', id, resolved);
    expect(ask(answers, 'shop', ['a', 'b', 'c', 'd', 'e', 'f', 'g'])).toEqual(['a', 'd', 'e', 'f', 'g']);
    expect(answers.bytes()).toBeLessThanOrEqual(3400);
  });

  it('answers of the namespace with the most bytes are dropped', () => {
    const { answers } = start(100_000);
    answers.set('shop', 'a', resolved);
    answers.set('bank', 'a', resolved);
    for (let n = 0; n < 1000; n += 1) answers.set('hostile', `${n}`, resolved);
    expect(ask(answers, 'shop', ['a'])).toEqual(['a']);
    expect(ask(answers, 'bank', ['a'])).toEqual(['a']);
    expect(ask(answers, 'hostile', ['0', '999'])).toEqual(['999']);
    expect(answers.bytes()).toBeLessThanOrEqual(100_000);
    expect(answers.bytes()).toBeGreaterThan(90_000);
  });
});

describe('an answer', () => {
  it('serves everybody for its time, and longer those who asked before it arrived', () => {
    const { clock, answers } = start();
    const before = clock.now;
    answers.set('shop', 'a', resolved);
    const asked = () => [before, before + 1, Infinity].map((since) => answers.get('shop', 'a', since) !== undefined);
    expect(answers.get('bank', 'a', before)).toBeUndefined();
    clock.now += MINUTE - 1;
    expect(asked()).toEqual([true, true, true]);
    clock.now += 1;
    expect(asked()).toEqual([true, false, false]);
    clock.now += 9 * MINUTE;
    expect(asked()).toEqual([false, false, false]);
  });

  it('is dropped when nobody asks for it any more', () => {
    const { clock, answers } = start();
    answers.set('shop', 'a', resolved);
    clock.now += 11 * MINUTE;
    answers.set('bank', 'b', resolved);
    expect(answers.size()).toBe(1);
  });
});
