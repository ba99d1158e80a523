import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPluginLogin, fromFolder } from './exec-plugin.ts';

const API = 'client.authentication.k8s.io/v1';
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'exec-plugin-test-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** A plugin that counts its runs, keeps what it is told, and ends with `script`. */
function plugin(name: string, script: string): string {
  const file = join(folder, name);
  writeFileSync(
    file,
    `#!/bin/sh\necho run >> '${file}.runs'\nprintf %s "$KUBERNETES_EXEC_INFO" > '${file}.info'\n${script}\n`,
  );
  chmodSync(file, 0o755);
  return file;
}

function answer(status: object, apiVersion = API): string {
  return `echo '${JSON.stringify({ apiVersion, kind: 'ExecCredential', status })}'`;
}

function runsOf(file: string): number {
  return existsSync(`${file}.runs`) ? readFileSync(`${file}.runs`, 'utf8').trim().split('\n').length : 0;
}

const cluster = { name: 'dev', server: 'https://192.0.2.1', caData: 'Y2E=', skipTLSVerify: false };

function login(exec: object, canAsk = false) {
  return createPluginLogin({ apiVersion: API, ...exec }, { cluster, env: process.env, canAsk });
}

test('the plugin gets its arguments and environment, and is told of the cluster only where the kubeconfig says so', async () => {
  const command = plugin('told', `[ "$1 $STAGE" = 'get prod' ] || exit 1\n${answer({ token: 't' })}`);
  const exec = { command, args: ['get'], env: [{ name: 'STAGE', value: 'prod' }] };
  expect(await login(exec)()).toEqual({ token: 't' });
  expect(JSON.parse(readFileSync(`${command}.info`, 'utf8'))).toEqual({
    apiVersion: API,
    kind: 'ExecCredential',
    spec: { interactive: false },
  });
  await login({ ...exec, provideClusterInfo: true })();
  expect(JSON.parse(readFileSync(`${command}.info`, 'utf8'))).toMatchObject({
    spec: { cluster: { server: cluster.server, 'certificate-authority-data': 'Y2E=' } },
  });
});

test.each([
  ['without an end is kept', undefined, 1],
  ['that has expired is asked for again', '2020-01-01T00:00:00Z', 2],
  ['that has not expired is kept', '2999-01-01T00:00:00Z', 1],
])('a credential %s', async (name, expirationTimestamp, runs) => {
  const command = plugin(name.replaceAll(' ', '-'), answer({ token: 't', expirationTimestamp }));
  const credential = login({ command });
  await credential();
  await credential();
  expect(runsOf(command)).toBe(runs);
});

test('a certificate with its key is a login too', async () => {
  const status = { clientCertificateData: 'cert', clientKeyData: 'key' };
  expect(await login({ command: plugin('certificate', answer(status)) })()).toEqual(status);
});

describe('an error says what is wrong, and quotes no credential:', () => {
  test.each([
    ['a failure', 'echo secret-token; exit 3', 'failed with exit code 3: see its messages above'],
    ['no JSON', 'echo secret-token', 'printed no JSON'],
    ['another object', `echo '{"kind":"Secret","status":"secret-token"}'`, 'printed no ExecCredential with a status'],
    ['another version', answer({ token: 'secret-token' }, 'v0'), 'answered with v0, and the kubeconfig asks for'],
    ['no credential', answer({ clientKeyData: 'secret-token' }), 'printed neither a token nor a certificate'],
  ])('%s', async (name, script, message) => {
    const error: unknown = await login({ command: plugin(name.replaceAll(' ', '-'), script) })().catch(
      (failure: unknown) => failure,
    );
    expect(String(error)).toContain(message);
    expect(String(error)).not.toContain('secret-token');
  });

  test('a missing program, with the hint of the kubeconfig', async () => {
    const exec = { command: join(folder, 'missing'), installHint: 'Install it by: get-it' };
    await expect(login(exec)()).rejects.toThrow(/there is no such program\nInstall it by: get-it$/);
  });

  test('a login that asks, without a terminal', async () => {
    const command = plugin('asks', answer({ token: 't' }));
    await expect(login({ command, interactiveMode: 'Always' })()).rejects.toThrow('run the command on a terminal');
    expect(runsOf(command)).toBe(0);
  });

  test('a version that no client knows any more', () => {
    expect(() => login({ command: 'x', apiVersion: 'client.authentication.k8s.io/v1alpha1' })).toThrow(
      'user.exec.apiVersion is wrong: must be client.authentication.k8s.io/v1 or',
    );
  });
});

test.each([
  ['./bin/login', '/home/jane/.kube/bin/login'],
  ['bin/login', '/home/jane/.kube/bin/login'],
  ['/bin/login', '/bin/login'],
  ['login', 'login'],
])('the command %s of a kubeconfig is %s', (command, expected) => {
  expect(fromFolder({ command, args: ['x'] }, '/home/jane/.kube')).toEqual({ command: expected, args: ['x'] });
});
