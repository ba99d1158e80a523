import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createCredentialSource, type KubeConfigSource } from './credentials.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** A KubeConfig whose logins the test completes. */
function slowLogin() {
  const logins: PromiseWithResolvers<string>[] = [];
  const config: KubeConfigSource = {
    getCurrentCluster: () => null,
    applyToHTTPSOptions: async (options) => {
      const login = Promise.withResolvers<string>();
      logins.push(login);
      options.headers = { Authorization: await login.promise };
    },
  };
  return { source: createCredentialSource(config), logins };
}

describe('a login', () => {
  test('is shared by concurrent calls: a person logs in once', async () => {
    const { source, logins } = slowLogin();
    const first = source.get();
    await vi.advanceTimersByTimeAsync(50_000);
    const second = source.get();
    logins[0]?.resolve('Bearer a');
    expect(await Promise.all([first, second])).toMatchObject([
      { headers: { authorization: 'Bearer a' } },
      { headers: { authorization: 'Bearer a' } },
    ]);
    expect(logins).toHaveLength(1);
  });

  test('that never ends is repeated after a minute', async () => {
    const { source, logins } = slowLogin();
    void source.get();
    await vi.advanceTimersByTimeAsync(60_001);
    const second = source.get();
    logins[1]?.resolve('Bearer b');
    expect((await second).headers).toEqual({ authorization: 'Bearer b' });
  });

  test('that fails is repeated by the next call', async () => {
    const { source, logins } = slowLogin();
    const first = source.get();
    logins[0]?.reject(new Error('no'));
    await expect(first).rejects.toThrow('no');
    const second = source.get();
    logins[1]?.resolve('Bearer b');
    expect((await second).headers).toEqual({ authorization: 'Bearer b' });
  });

  test('is repeated if the server refuses its result, once for many refusals', async () => {
    const { source, logins } = slowLogin();
    const first = source.get();
    logins[0]?.resolve('Bearer old');
    const old = await first;
    source.forget(old);
    const second = source.get();
    logins[1]?.resolve('Bearer new');
    await second;
    source.forget(old);
    expect((await source.get()).headers).toEqual({ authorization: 'Bearer new' });
    expect(logins).toHaveLength(2);
  });
});

describe('in a pod', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'credentials-test-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  test('a running process picks up a renewed token and a renewed authority', async () => {
    const [tokenFile, caFile] = [join(folder, 'token'), join(folder, 'ca.crt')];
    const write = (token: string, ca: string) => {
      writeFileSync(tokenFile, token);
      writeFileSync(caFile, ca);
    };
    const config = new KubeConfig();
    // The result of loadFromCluster.
    config.loadFromOptions({
      clusters: [{ name: 'c', server: 'https://127.0.0.1', caFile, skipTLSVerify: false }],
      users: [{ name: 'u', authProvider: { name: 'tokenFile', config: { tokenFile } } }],
      contexts: [{ name: 'x', cluster: 'c', user: 'u' }],
      currentContext: 'x',
    });
    const source = createCredentialSource(config);
    write('old\n', 'an authority');
    const before = await source.get();
    expect(before).toMatchObject({ headers: { authorization: 'Bearer old' } });
    expect(String(before.tls.ca)).toBe('an authority');
    write('new\n', 'another authority');
    await vi.advanceTimersByTimeAsync(71_000);
    const after = await source.get();
    expect(after).toMatchObject({ headers: { authorization: 'Bearer new' } });
    expect(String(after.tls.ca)).toBe('another authority');
  });
});
