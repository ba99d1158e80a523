/** For tests only: a terminal that keeps what is written. */
import type { Io } from './io.ts';

export interface TestIo extends Io {
  readonly written: { out: string; err: string };
}

/** Not a terminal, without a kubeconfig, at the given time. */
export function testIo(more: Partial<Io> = {}): TestIo {
  const written = { out: '', err: '' };
  return {
    env: { HOME: '/missing' },
    out: (text) => (written.out += text),
    err: (text) => (written.err += text),
    isTerminal: false,
    canAsk: false,
    isColoured: false,
    size: () => ({ columns: 120, rows: 40 }),
    ask: () => Promise.reject(new Error('nobody can be asked')),
    stdin: () => Promise.resolve(''),
    now: () => Date.parse('2026-01-01T00:00:00Z'),
    interrupted: new AbortController().signal,
    ...more,
    written,
  };
}
